"""Visits as Sensors Data's SDKs send them: by the browser's, and of an order by the shop's server as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

from streaming_app.demo.browsers import browser_of
from streaming_app.demo.demo_request import DemoRequest, VisitResult
from streaming_app.demo.sensors_requests import SensorsRequest, Way
from streaming_app.demo.sensors_server import OrderMessages
from streaming_app.demo.sensors_visit import SensorsVisit
from streaming_app.demo.visit import PlannedVisit
from streaming_app.demo.world import Json, World

MESSAGES_PER_BATCH = 6
"""At most."""

_WAYS = (Way.IMAGE, Way.IMAGE, Way.AJAX, Way.BATCH)
_SERVER_AGENT, _SERVER_ADDRESSES = "Python-urllib/3.11", ("198.51.100.20",)
_LEAST_FOR_FIRST, _LEAST_FOR_ORDER = 2, 6
"""Events of a visit in which there is room for a first open, and for a sign-up and an order."""


def play_sensors(visit: PlannedVisit, world: World, app_id: str, rng: Random) -> VisitResult:
    """The visitor browses; some sign up, order, and go on as who they are. Who comes back is a stranger again."""
    user, is_first = world.users[visit.user], visit.number == 1 and visit.events >= _LEAST_FOR_FIRST
    script = SensorsVisit(visit, world, rng, is_first=is_first)
    can_order = user.login and not visit.offline_ms and visit.events >= _LEAST_FOR_ORDER
    if can_order and rng.random() < 0.7:
        told, by_server = _with_order(script, visit, world, rng, visit.events - is_first - 2)
    else:
        told, by_server = script.browse(visit.events - is_first), []
    # What waits for a connection is kept by batches alone.
    way = Way.BATCH if visit.offline_ms else rng.choice(_WAYS)
    browser = _Sender(app_id, way, browser_of(user).agent, user.addresses, rng)
    shop = _Sender(app_id, Way.SERVER, _SERVER_AGENT, _SERVER_ADDRESSES, rng)
    requests = [*browser.send(told, visit), *shop.send(by_server, None)]
    return _facts(requests, [*_by_true_clock(told, visit.clock_ms), *_by_true_clock(by_server, 0)])


def _with_order(
    script: SensorsVisit, visit: PlannedVisit, world: World, rng: Random, tracks: int
) -> tuple[list[Json], list[Json]]:
    """Messages of the browser, and of the shop's server: a sign-up and an order within the visit's other ``tracks``."""
    user, before = world.users[visit.user], rng.randint(2, tracks)
    told, is_told_by_server = script.browse(before), rng.random() < 0.3
    told += script.sign_up(str(user.login), by_server=is_told_by_server)
    order = OrderMessages(user, script.now_ms - visit.clock_ms, rng)
    signed_up = [order.sign_up(script.cookie)] if is_told_by_server else []
    by_server = signed_up + order.order(script.cart or [rng.choice(world.products).item])
    return told + script.browse(tracks - before), by_server


class _Sender:
    """One SDK: messages in, requests out."""

    def __init__(self, app_id: str, way: Way, agent: str, addresses: tuple[str, ...], rng: Random) -> None:
        self._app_id, self._way, self._agent, self._addresses, self._rng = app_id, way, agent, addresses, rng

    def send(self, messages: list[Json], visit: PlannedVisit | None) -> Iterator[DemoRequest]:
        """Each message soon, or a batch soon after its last one; where the client was offline, all at the end."""
        offline, clock = (visit.offline_ms, visit.clock_ms) if visit else (0, 0)
        size = MESSAGES_PER_BATCH if self._is_patient() else 1
        for begin in range(0, len(messages), size):
            batch = messages[begin : begin + size]
            last = messages[-1] if offline else batch[-1]
            sent = last["time"] + offline + self._rng.randint(2, 40 if size == 1 else 1_500)
            yield SensorsRequest(
                app_id=self._app_id,
                address=self._rng.choice(self._addresses),
                sent_ms=sent,
                received_ms=sent - clock + self._rng.randint(10, 400),
                elements=tuple(batch),
                good=sum(sum(rows_of(each)) for each in batch),
                way=self._way,
                agent=self._agent,
                like=next(each for each in reversed(messages) if each["type"] == "track"),
            )

    def _is_patient(self) -> bool:
        """Servers are of both kinds: they send each message by itself, or what they have."""
        return self._way == Way.BATCH or (self._way == Way.SERVER and self._rng.random() < 0.5)


def rows_of(message: Json) -> tuple[int, int]:
    """Rows of ``event`` and of ``change`` that a message makes: a first visit is an event, a sign-up a change besides."""
    if not message["type"].startswith("track"):
        return 0, 1
    return 1 + bool(message["properties"].get("$is_first_time")), int(message["type"] == "track_signup")


def _by_true_clock(messages: list[Json], ahead_ms: int) -> Iterator[tuple[int, Json]]:
    return ((message["time"] - ahead_ms, message) for message in messages)


def _facts(requests: list[DemoRequest], told: Iterable[tuple[int, Json]]) -> VisitResult:
    played = VisitResult(requests)
    seen: dict[str, list[int]] = {}
    for at_ms, message in told:
        events, changes = rows_of(message)
        played.changes += changes
        if "item_id" in message:
            played.things.add(message["item_id"])
            continue
        played.users.add(message["distinct_id"])
        if events:
            seen.setdefault(message["distinct_id"], []).append(at_ms)
    played.spans = [(user, min(times), max(times)) for user, times in seen.items()]
    return played
