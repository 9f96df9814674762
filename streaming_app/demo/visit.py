"""One visit to the demo shop as it was planned, and what everybody who plays one needs, whatever the client."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from streaming_app.demo.world import Product, World

LONGEST_PAUSE_MS = 20_000
"""Between two events of a visit."""
TERMS = ("coffee", "running shoes", "gift box", "帐篷", "跑鞋")
"""What people look for."""
TIERS = ("gold", "silver", "basic")
"""What the shop calls its customers."""
TAX = 0.08


@dataclass(slots=True)
class PlannedVisit:
    """One session as planned; times are epoch ms by the true clock.

    ``user`` is an index into the world's users, ``events`` the rows of ``event`` that it brings, ``offline_ms`` how long after
    its end the events are sent, ``clock_ms`` how much the client's clock is ahead, ``number`` counts the user's visits from 1.
    """

    user: int
    start_ms: int
    events: int
    offline_ms: int = 0
    clock_ms: int = 0
    number: int = 0
    first_touch_ms: int = 0


class Player:
    """Plays one visit by the client's clock, which goes on with every event."""

    def __init__(self, visit: PlannedVisit, world: World, rng: Random) -> None:
        self._visit, self._world, self._rng = visit, world, rng
        self._user = world.users[visit.user]
        self._start = self._now = visit.start_ms + visit.clock_ms

    def _pause(self) -> None:
        self._now += int(LONGEST_PAUSE_MS * self._rng.random() ** 4)  # mostly short

    def _next_product(self) -> Product | None:
        """What the next page shows, if it is one of a product."""
        return self._world.products[self._below(len(self._world.products))] if self._chance(0.7) else None

    def _chance(self, share: float) -> bool:
        return self._rng.random() < share

    def _below(self, bound: int) -> int:
        return int(self._rng.random() * bound)  # several times as fast as randrange
