"""Who visits the demo shop when, and where something goes wrong."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from random import Random

from streaming_app.demo.apps import APPS
from streaming_app.demo.dirt import Dirt
from streaming_app.demo.visit import LONGEST_PAUSE_MS, PlannedVisit
from streaming_app.demo.world import DAY_MS, HOUR_MS, World

SLOWEST_UPLOAD_MS = 5_000
"""From the last event of a request to its receipt, and that of all dirt around it."""
MEAN_VISIT, SHORTEST_VISIT, LONGEST_VISIT = 20, 3, 100
"""Events of a visit."""
OFFLINE_EVERY, OFFLINE_MS = 1_000, (2 * HOUR_MS, 48 * HOUR_MS)
"""One visit per so many events is sent only hours later, when its client is online again."""
WRONG_CLOCK_EVERY, SKEW_MS = 5_000, (DAY_MS, 20 * DAY_MS)
"""One client per so many events has a clock that is off by days."""
DIRT_EVERY = {
    Dirt.LATE: 1_000,
    Dirt.FUTURE: 20_000,
    Dirt.NO_ID: 10_000,
    Dirt.UNREADABLE: 10_000,
    Dirt.BROKEN_LINE: 20_000,
    Dirt.GARBAGE: 20_000,
    Dirt.UNKNOWN_APP: 10_000,
    Dirt.RESENT: 1_000,
}
"""One case of each kind per so many events of an app, but at least one."""


@dataclass(slots=True)
class Crowd:
    """Visits of one app; ``dirt`` holds the cases of each, in order."""

    visits: list[PlannedVisit]
    dirt: list[list[Dirt]]


def plan_visits(app_id: str, hours: list[tuple[int, int]], world: World, rng: Random) -> list[Crowd]:
    """A crowd for each hour, given as its beginning (epoch ms) and how many events its visits have."""
    app, events = APPS[app_id], sum(quota for _, quota in hours)
    visits = [_visits(quota, hour_ms, len(world.users), rng) for hour_ms, quota in hours]
    crowds = [Crowd(of_hour, [[] for _ in of_hour]) for of_hour in visits]
    everyone = [visit for crowd in crowds for visit in crowd.visits]
    if app.waits:
        _go_offline(everyone, cases(events, OFFLINE_EVERY), rng)
    if app.has_clock:
        _set_clocks(everyone, cases(events, WRONG_CLOCK_EVERY), rng)
    _number(everyone, world)
    slots = [slot for crowd in crowds for slot in crowd.dirt]
    for kind in Dirt:
        for _ in range(0 if kind in app.spared else cases(events, DIRT_EVERY[kind])):
            rng.choice(slots).append(kind)
    return crowds


def cases(events: int, every: int) -> int:
    """How often something happens that is to happen at least once."""
    return max(1, round(events / every))


def _visits(quota: int, hour_ms: int, users: int, rng: Random) -> list[PlannedVisit]:
    """Visits that begin and end, at the latest, in one hour."""
    visits = []
    while quota:
        events = min(quota, LONGEST_VISIT, SHORTEST_VISIT + int(rng.expovariate(1 / (MEAN_VISIT - SHORTEST_VISIT))))
        latest = HOUR_MS - events * LONGEST_PAUSE_MS - SLOWEST_UPLOAD_MS
        user = int(users * rng.random() ** 1.4)  # some come more often than others
        visits.append(PlannedVisit(user, hour_ms + rng.randrange(latest), events))
        quota -= events
    return visits


def _go_offline(visits: list[PlannedVisit], count: int, rng: Random) -> None:
    for visit in rng.sample(visits, min(count, len(visits))):
        visit.offline_ms = rng.randint(*OFFLINE_MS)
        visit.start_ms -= visit.offline_ms


def _set_clocks(visits: list[PlannedVisit], count: int, rng: Random) -> None:
    """A wrong clock is the client's: it is as wrong in all its visits."""
    wrong = {visit.user: rng.choice((-1, 1)) * rng.randint(*SKEW_MS) for visit in rng.sample(visits, min(count, len(visits)))}
    for visit in visits:
        visit.clock_ms = wrong.get(visit.user, 0)


def _number(visits: list[PlannedVisit], world: World) -> None:
    """Number each user's visits in their order and give them the user's first touch."""
    by_user: defaultdict[int, list[PlannedVisit]] = defaultdict(list)
    for visit in visits:
        by_user[visit.user].append(visit)
    for index, own in by_user.items():
        user = world.users[index]
        own.sort(key=lambda visit: visit.start_ms)
        previous = own[0].start_ms - 1
        for number, visit in enumerate(own, user.visits_before + 1):
            visit.number, visit.first_touch_ms = number, own[0].start_ms - user.known_ms
            previous = visit.start_ms = max(visit.start_ms, previous + 1)  # the start is in the session's id
