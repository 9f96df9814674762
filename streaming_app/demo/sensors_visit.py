"""A visit to the web shop as Sensors Data's JavaScript SDK sends it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random
from urllib.parse import urlsplit

from streaming_app.demo.pages import ShopPage, arrive, landing, page_of
from streaming_app.demo.sensors_client import LIB, campaign_of, cookie_of, device_of, format_time, latest
from streaming_app.demo.visit import TERMS, TIERS, PlannedVisit, Player
from streaming_app.demo.world import Json, Product, World


class SensorsVisit(Player):
    """Makes the messages of one visit as it goes on, of a first one where ``is_first``.

    ``cart`` is what the visitor wants, ``cookie`` the anonymous id.
    """

    def __init__(self, visit: PlannedVisit, world: World, rng: Random, *, is_first: bool) -> None:
        super().__init__(visit, world, rng)
        self.cookie = cookie_of(self._user)
        self.cart: list[Json] = []
        self._ids = {"$identity_cookie_id": self.cookie, "$identity_anonymous_id": self.cookie}
        self._who: Json = {"identities": self._ids, "distinct_id": self.cookie, "anonymous_id": self.cookie}
        self._preset = device_of(self._user)
        self._rest = self._story(is_first=is_first)

    @property
    def now_ms(self) -> int:
        """The latest message, epoch ms by the visitor's clock."""
        return self._now

    def browse(self, tracks: int) -> list[Json]:
        """``tracks`` further events, and the changes of attributes that the SDK sends before the last of them."""
        messages = []
        while tracks:
            messages.append(next(self._rest))
            tracks -= messages[-1]["type"] == "track"
        return messages

    def sign_up(self, login: str, *, by_server: bool) -> list[Json]:
        """An event that says so, unless the shop's server does, and what the profile says. From here on the login is told."""
        self._pause()
        self._who |= {"identities": {**self._ids, "$identity_login_id": login}, "distinct_id": login, "login_id": login}
        told = {"name": f"User {login}", "age": 18 + self._below(60), "tier": TIERS[self._below(3)]}
        profile: list[tuple[str, Json]] = [("profile_set", told), ("profile_set_once", {"first_order": format_time(self._now)})]
        if self._chance(0.3):
            profile.append(("profile_unset", {"cart_reminder": True}))
        signed = [] if by_server else [self._track("$SignUp", kind="track_signup") | {"original_id": self.cookie}]
        return signed + [self._message(kind, properties) for kind, properties in profile]

    def _story(self, *, is_first: bool) -> Iterator[Json]:
        """The visit without an end."""
        arrival = arrive(self._rng)
        self._preset |= latest(arrival)
        page, left = landing(arrival, "gclid", self._user), f"https://{arrival.host}/" if arrival.host else ""
        product: Product | None = None
        for number in count():
            began = {**campaign_of(arrival), "$is_first_time": is_first} if number == 0 else {"$is_first_time": False}
            yield self._view(page, left, began)
            if number == 0 and is_first:
                first = {"$first_visit_time": format_time(self._now), "$first_referrer": left, **campaign_of(arrival)}
                yield self._message("profile_set_once", first)
            yield from self._acts(product)
            product, left = self._next_product(), page.url
            page = page_of(product, self._user, self._rng)

    def _view(self, page: ShopPage, left: str, own: Json) -> Json:
        self._pause()
        self._preset |= {"$url": page.url, "$url_path": urlsplit(page.url).path, "$title": page.title}
        return self._track("$pageview", {"$referrer": left, "$referrer_host": urlsplit(left).hostname or "", **own})

    def _acts(self, product: Product | None) -> Iterator[Json]:
        if product:
            self._pause()
            sku = {"sku": product.item["id"], "category": product.item["category"], "price": product.item["price"]}
            yield self._track("ViewProduct", sku)
            if self._chance(0.4):
                self.cart.append(product.item)
        for _ in range(self._below(3)):
            self._pause()
            yield self._track("$WebClick", {"$element_type": "button", "$element_id": f"btn-{self._below(400)}"})
        if self._chance(0.15):
            self._pause()
            yield self._track("Search", {"keyword": TERMS[self._below(len(TERMS))], "results": self._below(90)})

    def _track(self, event: str, properties: Json | None = None, kind: str = "track") -> Json:
        return self._message(kind, {**self._preset, **(properties or {})}) | {"event": event}

    def _message(self, kind: str, properties: Json) -> Json:
        track_id = self._rng.getrandbits(22) * 1_000 + self._now % 1_000
        return {**self._who, "lib": LIB, "properties": properties, "type": kind, "time": self._now, "_track_id": track_id}
