"""What happens in one visit to the demo shop, whatever the platform: the course of its events and what all of them tell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import ClassVar

from streaming_app.demo.world import Json, Product, World, uuid4

LONGEST_PAUSE_MS = 20_000
"""Between two events of a visit."""
TERMS = ("coffee", "running shoes", "gift box", "帐篷", "跑鞋")
"""What people look for."""

_TIERS = ("gold", "silver", "basic")
_TAX = 0.08


@dataclass(slots=True)
class Visit:
    """One session as planned; times are epoch ms by the true clock.

    ``user`` is an index into the world's users, ``offline_ms`` how long after its end the events are sent, ``clock_ms`` how
    much the client's clock is ahead, ``number`` counts the user's visits from 1.
    """

    user: int
    start_ms: int
    events: int
    offline_ms: int = 0
    clock_ms: int = 0
    number: int = 0
    first_touch_ms: int = 0


class Script(ABC):
    """Plays one visit by the client's clock, which goes on with every event."""

    VIEW: ClassVar[str]
    """Name of the event that a new place brings."""

    def __init__(self, visit: Visit, world: World, app_id: str, rng: Random) -> None:
        self._visit, self._world, self._rng = visit, world, rng
        self._user = user = world.users[visit.user]
        self._start = self._now = self._entered = visit.start_ms + visit.clock_ms
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
        """What events tell of the place at which the visit begins."""

    @abstractmethod
    def _place_of(self, product: Product | None) -> Json:
        """What events tell of a product's place, or of one without a product."""

    @abstractmethod
    def _referring(self, left: Json) -> Json:
        """What a view tells of the place that was left for it, {} if it is the first."""

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
            product = self._world.products[self._below(len(self._world.products))] if self._chance(0.7) else None
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
            order = {"order_id": f"o-{self._rng.getrandbits(32):08x}", "tax": round(total * _TAX, 2)}
            yield self._event("purchase", {"_value": total, "_currency": item["currency"], **order}, self._cart)
            self._cart = []

    def _profile(self) -> Json:
        """The visitor fills in the profile, and is logged in from then on."""
        if self._user.login:
            self._account = {**self._account, "_user_id": {"value": self._user.login, "set_timestamp": self._now}}
        told = {"_user_age": 18 + self._below(60), "tier": _TIERS[self._below(3)], "newsletter": self._chance(0.5)}
        profile = {name: {"value": value, "set_timestamp": self._now} for name, value in told.items()}
        return self._event("_profile_set", user={**self._account, **profile})

    def _event(self, name: str, own: Json | None = None, items: list[Json] | None = None, user: Json | None = None) -> Json:
        self._now += int(LONGEST_PAUSE_MS * self._rng.random() ** 4)  # mostly short
        event = {"event_type": name, "event_id": uuid4(self._rng), **self._ids, "timestamp": self._now, **self._user.fields}
        if items:
            event["items"] = items
        event["user"] = user or self._account
        event["attributes"] = {**(own or {}), **self._session, "_session_duration": self._now - self._start, **self._place}
        return event

    def _chance(self, share: float) -> bool:
        return self._rng.random() < share

    def _below(self, bound: int) -> int:
        return int(self._rng.random() * bound)  # several times as fast as randrange
