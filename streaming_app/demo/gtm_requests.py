"""How a visit reaches the ingestion endpoint by a tag server (GTM): plain JSON, an event or a few at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Self

from streaming_app.demo.demo_request import DemoRequest, VisitResult
from streaming_app.demo.gtm_client import request_of
from streaming_app.demo.gtm_visit import GtmVisit, TimedEvent
from streaming_app.demo.visit import PlannedVisit
from streaming_app.demo.world import Json, World

MOST_EVENTS = 4
"""Of a request; a browser sends what happens within some seconds at once."""

_TAG_SERVERS = tuple(f"198.51.100.{number}" for number in range(10, 14))
_SERVER, _SYSTEM = "x-sst-system_properties", "x-ga-system_properties"
_OF_OTHERS = (_SYSTEM, "items", "item_id", "value", "currency", "transaction_id", "x-ga-mp2-user_properties")
"""What an event may have and an ordinary one has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GtmRequest(DemoRequest):
    """``given`` is the server's :meth:`stamp`."""

    REQUIRED = "event_name"

    given: tuple[str, int]

    def make_element(self, rng: Random) -> Json:
        like = next(element for element in self.elements if isinstance(element, dict))
        event = {key: value for key, value in like.items() if key not in _OF_OTHERS}
        event |= {"event_name": "user_engagement", "engagement_time_msec": rng.randint(1_000, 60_000)}
        return event | {_SERVER: {**like[_SERVER], "request_start_time_ms": self.sent_ms}}

    def move(self, element: Json, by_ms: int) -> None:
        element[_SERVER]["request_start_time_ms"] += by_ms

    def make_copy(self, rng: Random) -> Self:  # noqa: ARG002 - nothing is left to chance
        """The same line once more.

        Tag servers do not try again, but streams before the files deliver what they have at least once. A request of another
        id would be other events: theirs are made of it.
        """
        return replace(self, is_repeated=True)

    def make_next(self, pause_ms: int) -> Self:
        rid, nanoseconds = self.given
        return replace(self, received_ms=self.received_ms + pause_ms, good=0, given=(rid[::-1], nanoseconds))

    @property
    def is_single(self) -> bool:
        return len(self.elements) == 1

    def pack_payload(self, payload: bytes) -> str:
        return payload.decode()

    def envelope(self, text: str) -> Json:
        uri = f"/collect?appId={self.app_id}"
        unknown = dict.fromkeys(("compression", "platform", "ua", "upload_timestamp"))
        return {"data": text, "method": "POST", "uri": uri, **unknown}

    def stamp(self, rng: Random) -> tuple[str, int]:  # noqa: ARG002 - decided when the request was made
        return self.given


def play_gtm(visit: PlannedVisit, world: World, app_id: str, rng: Random) -> VisitResult:
    """Requests in the order of their events."""
    user, told = world.users[visit.user], GtmVisit(visit, world, rng).events()
    requests: list[DemoRequest] = []
    for batch in _batches(told, rng):
        started = batch[-1].at_ms + rng.randint(10, 300)
        request = GtmRequest(
            app_id=app_id,
            address=rng.choice(_TAG_SERVERS),
            sent_ms=started,
            received_ms=started + rng.randint(5, 100),
            elements=tuple({**each.event, _SERVER: request_of(user, started)} for each in batch),
            good=sum(each.rows for each in batch),
            given=(f"{rng.getrandbits(128):032x}", rng.randrange(1_000_000)),
        )
        requests.append(request)
    first = told[0].event
    items = sum(len(each.event.get("items", ())) for each in told)
    session = f"{first['client_id']} {first['ga_session_id']}"
    return VisitResult(requests, items=items, users={first["client_id"]}, sessions={session})


def _batches(told: list[TimedEvent], rng: Random) -> Iterator[list[TimedEvent]]:
    """One event in most requests, a few in others."""
    rest = list(told)
    while rest:
        size = 1 if rng.random() < 0.6 else rng.randint(2, MOST_EVENTS)
        yield rest[:size]
        rest = rest[size:]
