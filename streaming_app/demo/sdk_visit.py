"""A visit as the Clickstream SDK sends it, whatever the platform: the course of its events and what all of them have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import ClassVar

from streaming_app.demo.visit import TAX, TERMS, TIERS, PlannedVisit, Player
from streaming_app.demo.world import Json, Product, World, uuid4


class Script(Player, ABC):
    """Makes the events of one visit."""

    VIEW: ClassVar[str]
    """Name of the event that a new place brings."""

    def __init__(self, visit: PlannedVisit, world: World, app_id: str, rng: Random) -> None:
        super().__init__(visit, world, rng)
        self._entered, user = self._start, self._user
        self._ids = {"device_id": user.device_id, "unique_id": user.unique_id, "app_id": app_id}
        first_touch = visit.first_touch_ms + visit.clock_ms
        self._account: Json = {"_user_first_touch_timestamp": {"value": first_touch, "set_timestamp": first_touch}}
        if user.login and visit.number > 1:
            self._account["_user_id"] = {"value": user.login, "set_timestamp": first_touch}
        began = datetime.fromtimestamp(self._start / 1_000, UTC)
        self._session: Json = {
            "_session_id": f"{user.unique_id[-8:]}-{began:%Y%m%d-%H%M%S}{self._start % 1_000:03d}",
            "_session_start_timestamp": self._start,
            "_session_number": visit.number,
        }
        self._place: Json = {}
        self._views = 0
        self._cart: list[Json] = []

    def events(self) -> list[Json]:
        """As many as planned, in order."""
        return [*islice(self._story(), self._visit.events - 1), self._event("_app_end")]

    @abstractmethod
    def _entrance(self) -> Json:
        """Fields of events about the page on which the visit begins."""

    @abstractmethod
    def _place_of(self, product: Product | None) -> Json:
        """Fields of events about a product's page, or one without a product."""

    @abstractmethod
    def _referring(self, left: Json) -> Json:
        """Fields of a view about the page before it, {} if it is the first."""

    def _story(self) -> Iterator[Json]:
        """The visit without its end."""
        is_first = self._visit.number == 1
        self._place = self._entrance()
        left: Json = {}
        product: Product | None = None
        if is_first:
            yield self._event("_first_open")
        yield self._event("_session_start")
        yield self._event("_app_start", {"_is_first_time": is_first})
        while True:
            yield self._view(left)
            if product:
                yield from self._shop(product.item)
            yield from self._acts()
            if self._chance(0.7):
                yield self._event("_user_engagement", {"_engagement_time_msec": self._now - self._entered + 1_000})
            product = self._next_product()
            left, self._place = self._place, self._place_of(product)

    def _view(self, left: Json) -> Json:
        stay = {"_entrances": 0, "_previous_timestamp": self._entered, "_engagement_time_msec": self._now - self._entered}
        event = self._event(self.VIEW, {**self._referring(left), **(stay if left else {"_entrances": 1})})
        self._entered, self._views = self._now, self._views + 1
        return event

    def _acts(self) -> Iterator[Json]:
        """What a visitor does at any place."""
        for _ in range(self._below(3)):
            tap: Json = {"element_id": f"btn-{self._below(400)}", "position": {"x": self._below(400), "y": self._below(4_000)}}
            if self._chance(0.3):
                scores = [round(self._rng.random(), 4) for _ in range(2)]
                tap["experiment"] = {"name": f"exp-{self._below(20)}", "variant": "AB"[self._below(2)], "scores": scores}
            yield self._event("button_click", tap)
        if self._chance(0.12):
            yield self._event("_search", {"_search_key": "q", "_search_term": TERMS[self._below(len(TERMS))]})
        if self._chance(0.1):
            yield self._profile()

    def _shop(self, item: Json) -> Iterator[Json]:
        price = {"currency": item["currency"], "value": item["price"]}
        yield self._event("view_item", {**price, "event_category": "recommended"}, [item])
        if self._chance(0.3):
            self._cart.append({**item, "quantity": 1 + self._below(3), "promo_code": f"P{self._below(50)}"})
            yield self._event("add_to_cart", {**price, "cart_size": len(self._cart)}, self._cart[-1:])
        if self._cart and self._chance(0.3):
            total = round(sum(each["price"] * each["quantity"] for each in self._cart), 2)
            order = {"order_id": f"o-{self._rng.getrandbits(32):08x}", "tax": round(total * TAX, 2)}
            yield self._event("purchase", {"_value": total, "_currency": item["currency"], **order}, self._cart)
            self._cart = []

    def _profile(self) -> Json:
        """The visitor fills in the profile, and is logged in from then on."""
        if self._user.login:
            self._account = {**self._account, "_user_id": {"value": self._user.login, "set_timestamp": self._now}}
        told = {"_user_age": 18 + self._below(60), "tier": TIERS[self._below(3)], "newsletter": self._chance(0.5)}
        profile = {name: {"value": value, "set_timestamp": self._now} for name, value in told.items()}
        return self._event("_profile_set", user={**self._account, **profile})

    def _event(self, name: str, own: Json | None = None, items: list[Json] | None = None, user: Json | None = None) -> Json:
        self._pause()
        event = {"event_type": name, "event_id": uuid4(self._rng), **self._ids, "timestamp": self._now, **self._user.fields}
        if items:
            event["items"] = items
        event["user"] = user or self._account
        event["attributes"] = {**(own or {}), **self._session, "_session_duration": self._now - self._start, **self._place}
        return event
