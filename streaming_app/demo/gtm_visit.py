"""A visit to the web shop in GA4's events and parameters, as a tag server sends them.

Names are those of https://developers.google.com/analytics/devguides/collection/ga4/reference/events.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import NamedTuple

from streaming_app.demo.gtm_client import visitor_of
from streaming_app.demo.pages import ShopPage, arrive, landing, page_of
from streaming_app.demo.visit import TAX, TERMS, TIERS, PlannedVisit, Player
from streaming_app.demo.world import Json, Product, World

_CLICK_IDS = ("gclid", "wbraid", "msclkid", "fbclid", "ttclid")


class TimedEvent(NamedTuple):
    """An event and when it happened, epoch ms; ``rows`` of ``event`` are made of it."""

    at_ms: int
    event: Json
    rows: int = 1


class GtmVisit(Player):
    """Makes the events of one visit."""

    def __init__(self, visit: PlannedVisit, world: World, rng: Random) -> None:
        super().__init__(visit, world, rng)
        self._always = visitor_of(self._user, visit)
        self._entered, self._cart, self._count = self._start, list[Json](), 0

    def events(self) -> list[TimedEvent]:
        """As many as make the planned rows of ``event``: of the first one come also those of a new visitor and session."""
        rows = self._visit.events
        begins = {"fv": rows > 2 and self._visit.number == 1, "ss": rows > 1}
        first, *others = islice(self._story(), rows - sum(begins.values()))
        if begins["ss"]:
            first.event["x-ga-system_properties"] = {name: "1" for name, does in begins.items() if does}
        return [first._replace(rows=1 + sum(begins.values())), *others]

    def _story(self) -> Iterator[TimedEvent]:
        """The visit without an end."""
        arrival = arrive(self._rng)
        page = landing(arrival, _CLICK_IDS[self._below(len(_CLICK_IDS))], self._user)
        product: Product | None = None
        self._open(page, f"https://{arrival.host}/" if arrival.host else None)
        while True:
            yield self._event("page_view")
            self._entered = self._now
            if product:
                yield from self._shop(product.item)
            yield from self._acts()
            product = self._next_product()
            left, page = page, page_of(product, self._user, self._rng)
            self._open(page, left.url)

    def _open(self, page: ShopPage, referrer: str | None) -> None:
        self._place: Json = {"page_location": page.url, "page_title": page.title, "x-ga-page_id": self._rng.getrandbits(30)}
        if referrer:
            self._place["page_referrer"] = referrer

    def _acts(self) -> Iterator[TimedEvent]:
        """What a visitor does on any page."""
        if self._chance(0.5):
            yield self._event("scroll", {"percent_scrolled": 90})
        if self._chance(0.2):
            link = {"link_url": f"https://partner.example/offer/{self._below(999)}", "link_domain": "partner.example"}
            yield self._event("click", {**link, "link_classes": "ext-link", "outbound": "true"})
        if self._chance(0.12):
            yield self._event("view_search_results", {"search_term": TERMS[self._below(len(TERMS))]})
        if self._user.login and self._chance(0.08):
            yield self._login(self._user.login)
        if self._chance(0.6):
            yield self._event("user_engagement")

    def _login(self, login: str) -> TimedEvent:
        self._always["user_id"] = login
        told = {"age": 18 + self._below(60), "tier": TIERS[self._below(3)], "newsletter": self._chance(0.5)}
        return self._event("login", {"method": "password", "x-ga-mp2-user_properties": {"_user_id": login, **told}})

    def _shop(self, item: Json) -> Iterator[TimedEvent]:
        shown = _ga4(item) | {"index": self._below(20), "item_list_name": "Related products"}
        yield self._event("select_item", {"item_id": item["id"], "items": [shown]})
        yield self._event("view_item", _worth([shown]))
        if self._chance(0.35):
            self._cart.append(shown | {"quantity": 1 + self._below(3), "coupon": f"P{self._below(50)}"})
            yield self._event("add_to_cart", _worth(self._cart[-1:]))
        if self._cart and self._chance(0.35):
            yield self._event("begin_checkout", _worth(self._cart))
            order = {"transaction_id": f"o-{self._rng.getrandbits(32):08x}", "shipping": 4.9}
            worth = _worth(self._cart)
            yield self._event("purchase", {**worth, **order, "tax": round(worth["value"] * TAX, 2)})
            self._cart = []

    def _event(self, name: str, own: Json | None = None) -> TimedEvent:
        self._pause()
        self._count += 1
        engaged = {"engagement_time_msec": self._now - self._entered + 1}
        count = {"x-ga-request_count": self._count}
        return TimedEvent(self._now, {"event_name": name, **(own or {}), **engaged, **self._always, **self._place, **count})


def _ga4(item: Json) -> Json:
    """A product under the names that GA4 has for items."""
    names = {"name": "item_name", "brand": "item_brand", "category": "item_category", "category2": "item_category2"}
    return {"item_id": item["id"], **{name: item[key] for key, name in names.items()}, "price": item["price"]}


def _worth(items: list[Json]) -> Json:
    value = sum(each["price"] * each.get("quantity", 1) for each in items)
    return {"currency": "USD", "value": round(value, 2), "items": list(items)}
