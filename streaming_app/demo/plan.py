"""Who is on duty when, and whom they serve: decided for all files before the first is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from streaming_app.demo.crowd import Crowd, plan_visits
from streaming_app.demo.world import HOUR_MS, World

HOURS = 24
"""Of a day, within which all requests are received unless more days are asked for."""
SERVERS = 2
"""Behind one load balancer; each writes a file of its own."""


@dataclass(slots=True)
class Shift:
    """One hour of one load balancer, from ``hour_ms`` (epoch ms) on."""

    number: int
    servers: int
    hour_ms: int
    crowds: dict[str, Crowd] = field(default_factory=dict)


def plan(world: World, events: dict[str, int], files: int, end_ms: int, rng: Random, days: int = 1) -> list[Shift]:
    """Shifts whose visits have ``events`` by app in all, with ``files`` servers in all; the last one ends at ``end_ms``."""
    count = -(-files // SERVERS)
    hours = [end_ms - HOUR_MS * (1 + (count - 1 - number) * HOURS * days // count) for number in range(count)]
    shifts = [Shift(number, SERVERS, hour) for number, hour in enumerate(hours)]
    shifts[0].servers -= count * SERVERS - files
    for app_id, total in events.items():
        if total:
            crowds = plan_visits(app_id, list(zip(hours, split(total, count), strict=True)), world, rng)
            for shift, crowd in zip(shifts, crowds, strict=True):
                shift.crowds[app_id] = crowd
    return shifts


def split(total: int, parts: int) -> list[int]:
    """As evenly as whole numbers can be.

    >>> split(7, 3)
    [3, 2, 2]
    """
    return [total // parts + (number < total % parts) for number in range(parts)]
