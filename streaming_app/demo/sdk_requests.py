"""How a visit reaches the ingestion endpoint by the Clickstream SDK: batches, gzipped by apps, plain from pages."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from random import Random
from typing import Self

from streaming_app.demo.demo_request import DemoRequest, VisitResult, gzip_base64
from streaming_app.demo.sdk_platforms import events_of
from streaming_app.demo.visit import PlannedVisit
from streaming_app.demo.world import Json, User, World, uuid4

EVENTS_PER_REQUEST = 25
"""At most; most visits end before, so that a request has about 14."""

_REQUESTS_PER_VISIT = 4  # at most, so that the numbers of two visits never meet


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkRequest(DemoRequest):
    REQUIRED = "event_id"

    user: User
    sequence: int

    def make_element(self, rng: Random) -> Json:
        like = next(element for element in self.elements if isinstance(element, dict))
        own = {"event_type": "_user_engagement", "event_id": uuid4(rng), "timestamp": self.sent_ms, "app_id": self.app_id}
        attributes = {**like["attributes"], "_engagement_time_msec": rng.randint(1_000, 60_000)}
        event = {**like, **own, "attributes": attributes}
        event.pop("items", None)
        return event

    def move(self, element: Json, by_ms: int) -> None:
        element["timestamp"] += by_ms

    def make_copy(self, rng: Random) -> Self:
        return replace(self, received_ms=self.received_ms + rng.randint(30, 80), is_repeated=True)

    def make_next(self, pause_ms: int) -> Self:
        return replace(self, received_ms=self.received_ms + pause_ms, good=0, sequence=self.sequence + 1)

    @property
    def _is_web(self) -> bool:
        return self.user.platform == "Web"

    @property
    def is_single(self) -> bool:
        """A lone event of a page is sent as an object: not the SDK's way, but one that hand-written clients have."""
        return self._is_web and len(self.elements) == 1

    def pack_payload(self, payload: bytes) -> str:
        return payload.decode() if self._is_web else gzip_base64(payload)

    def envelope(self, text: str) -> Json:
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        query = f"platform={self.user.platform}&appId={self.app_id}&event_bundle_sequence_id={self.sequence}"
        query = f"{query}&upload_timestamp={self.sent_ms}&hashCode={digest}{'' if self._is_web else '&compression=gzip'}"
        return {
            "client_timestamp": str(self.sent_ms),
            "compression": None if self._is_web else "gzip",
            "data": text,
            "method": "POST",
            "platform": self.user.platform,
            "ua": self.user.agent,
            "uri": f"/collect?{query}",
        }


def play_sdk(visit: PlannedVisit, world: World, app_id: str, rng: Random) -> VisitResult:
    """Events in requests, each sent soon after its last event, or all of them once the client is online again."""
    user, events = world.users[visit.user], events_of(visit, world, app_id, rng)
    requests: list[DemoRequest] = []
    for sequence, begin in enumerate(range(0, len(events), EVENTS_PER_REQUEST), 1 + visit.number * _REQUESTS_PER_VISIT):
        batch = events[begin : begin + EVENTS_PER_REQUEST]
        last = events[-1] if visit.offline_ms else batch[-1]
        sent = last["timestamp"] + visit.offline_ms + rng.randint(20, 2_000)
        received = sent - visit.clock_ms + rng.randint(10, 400)
        request = SdkRequest(
            app_id=app_id,
            user=user,
            address=rng.choice(user.addresses),
            sequence=sequence,
            sent_ms=sent,
            received_ms=received,
            elements=tuple(batch),
            good=len(batch),
        )
        requests.append(request)
    items = sum(len(event.get("items", ())) for event in events)
    session = f"{user.unique_id} {events[0]['attributes']['_session_id']}"
    return VisitResult(requests, items=items, users={user.unique_id}, sessions={session})
