"""How a visit reaches the ingestion endpoint: events in requests, requests as raw lines, and what goes wrong on the way."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from random import Random

import msgspec
import pybase64

from streaming_app.demo.visit import Visit
from streaming_app.demo.world import DAY_MS, HOUR_MS, Json, User, uuid4
from streaming_app.errors import Reason

EVENTS_PER_REQUEST = 25
"""At most; most visits end before, so that a request has about 14."""
SLOWEST_UPLOAD_MS = 5_000
"""From the last event of a request to its receipt, and that of all dirt around it."""

_REQUESTS_PER_VISIT = 4  # at most, so that the numbers of two visits never meet
_FRESHNESS_MS = 72 * HOUR_MS  # what rules.freshness_hours is by default
_GZIP = 15 + 16  # zlib's window bits for gzip
_ZLIB_LEVEL = 6  # what Java and Swift use unless told otherwise
_UNREADABLE = (b'{"event_type":"_scroll","event_id":"e-1","timestamp":}', b"undefined", b'"[object Object]"')


class Dirt(StrEnum):
    """One thing that goes wrong with a request; a repetition comes last, so that it repeats all else."""

    LATE = "late"
    FUTURE = "future"
    NO_ID = "no_id"
    UNREADABLE = "unreadable"
    BROKEN_LINE = "broken_line"
    GARBAGE = "garbage"
    UNKNOWN_APP = "unknown_app"
    RESENT = "resent"


@dataclass(frozen=True, slots=True)
class Request:
    """``sent_ms`` is by the client's clock, ``received_ms`` by the server's, both epoch ms.

    ``good`` of its elements are events that the pipeline keeps, the others end in quarantine for the reasons in ``bad``.
    ``data`` replaces the elements by something that is no payload.
    """

    user: User
    app_id: str
    address: str
    sequence: int
    sent_ms: int
    received_ms: int
    elements: tuple[Json | msgspec.Raw, ...]
    good: int
    bad: tuple[Reason, ...] = ()
    data: str | None = None
    is_cut: bool = False
    is_repeated: bool = False


def requests_of(visit: Visit, user: User, events: list[Json], rng: Random) -> list[Request]:
    """The events in requests, each sent soon after its last event, or all of them once the client is online again."""
    requests = []
    for sequence, begin in enumerate(range(0, len(events), EVENTS_PER_REQUEST), 1 + visit.number * _REQUESTS_PER_VISIT):
        batch = events[begin : begin + EVENTS_PER_REQUEST]
        last = events[-1] if visit.offline_ms else batch[-1]
        sent = last["timestamp"] + visit.offline_ms + rng.randint(20, 2_000)
        received = sent - visit.clock_ms + rng.randint(10, 400)
        address = rng.choice(user.addresses)
        requests.append(Request(user, last["app_id"], address, sequence, sent, received, tuple(batch), len(batch)))
    return requests


def spoil(requests: list[Request], case: Dirt, rng: Random) -> None:
    """Do one case of dirt to the requests of a visit: change one of them, or add one."""
    at = rng.choice([number for number, request in enumerate(requests) if request.good])
    victim = requests[at]
    if case in _ELEMENTS:
        requests[at] = _with_element(victim, case, rng)
    elif case is Dirt.RESENT:
        requests.append(replace(victim, received_ms=victim.received_ms + rng.randint(30, 80), is_repeated=True))
    else:
        requests.append(_bad_request(victim, case, rng))


_ELEMENTS = {
    Dirt.LATE: Reason.TOO_LATE,
    Dirt.FUTURE: Reason.IN_FUTURE,
    Dirt.NO_ID: Reason.MALFORMED_EVENT,
    Dirt.UNREADABLE: Reason.MALFORMED_EVENT,
}
"""Dirt that is one more element among good ones, and the reason for which that is refused."""


def _with_element(victim: Request, case: Dirt, rng: Random) -> Request:
    at = rng.randint(0, len(victim.elements))
    elements = (*victim.elements[:at], _bad_element(victim, case, rng), *victim.elements[at:])
    return replace(victim, elements=elements, bad=(*victim.bad, _ELEMENTS[case]))


def _bad_element(victim: Request, case: Dirt, rng: Random) -> Json | msgspec.Raw:
    if case is Dirt.UNREADABLE:
        return msgspec.Raw(rng.choice(_UNREADABLE))
    event = _another_event(victim, rng)
    if case is Dirt.LATE:
        event["timestamp"] -= _FRESHNESS_MS + rng.randint(HOUR_MS, 3 * DAY_MS)
    elif case is Dirt.FUTURE:
        event["timestamp"] += 365 * DAY_MS
    else:
        del event["event_id"]
    return event


def _another_event(victim: Request, rng: Random) -> Json:
    """An ordinary event of the same visit, made when the request was sent."""
    like = next(element for element in victim.elements if isinstance(element, dict))
    own = {"event_type": "_user_engagement", "event_id": uuid4(rng), "timestamp": victim.sent_ms}
    attributes = {**like["attributes"], "_engagement_time_msec": rng.randint(1_000, 60_000)}
    event = {**like, **own, "attributes": attributes}
    event.pop("items", None)
    return event


def _bad_request(victim: Request, case: Dirt, rng: Random) -> Request:
    """A request of its own, none of which can be used."""
    request = replace(victim, sequence=victim.sequence + 1, received_ms=victim.received_ms + rng.randint(100, 900), good=0)
    if case is Dirt.BROKEN_LINE:
        return replace(request, is_cut=True, bad=(Reason.MALFORMED_LINE,))
    if case is Dirt.GARBAGE:
        data = pybase64.b64encode_as_string(rng.randbytes(300))
        return replace(request, data=data, bad=(Reason.MALFORMED_PAYLOAD,))
    app_id = f"{victim.app_id}-staging"
    events = tuple({**_another_event(victim, rng), "app_id": app_id} for _ in range(rng.randint(1, 3)))
    return replace(request, app_id=app_id, elements=events, bad=(Reason.UNKNOWN_APP,) * len(events))


def raw_line(request: Request, rng: Random) -> tuple[bytes, int]:
    """The line that the endpoint writes, and the bytes of JSON that the pipeline can decode from it."""
    # Pages send plain JSON, and a lone event as an object: not the SDK's way, but one that hand-written clients have.
    is_web = request.user.platform == "Web"
    payload = msgspec.json.encode(request.elements[0] if is_web and len(request.elements) == 1 else request.elements)
    data = request.data or (payload.decode() if is_web else _packed(payload))
    line = msgspec.json.encode(_fields(request, data, is_web, rng))
    if request.is_cut:
        return line[: len(line) // 2], 0
    return line, 0 if request.data else len(payload)


def _packed(payload: bytes) -> str:
    """base64(gzip(…)), as the SDKs for apps send it."""
    packer = zlib.compressobj(_ZLIB_LEVEL, zlib.DEFLATED, _GZIP)
    return pybase64.b64encode_as_string(packer.compress(payload) + packer.flush())


def _fields(request: Request, data: str, is_plain: bool, rng: Random) -> Json:
    """What the endpoint knows of a request, under the names and in the types that it writes."""
    platform, app_id, sent = request.user.platform, request.app_id, str(request.sent_ms)
    digest = hashlib.sha256(data.encode()).hexdigest()[:8]
    query = f"platform={platform}&appId={app_id}&event_bundle_sequence_id={request.sequence}"
    query = f"{query}&upload_timestamp={sent}&hashCode={digest}{'' if is_plain else '&compression=gzip'}"
    second = request.received_ms // 1_000
    shown = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "appId": app_id,
        "client_timestamp": sent,
        "compression": None if is_plain else "gzip",
        "data": data,
        "date": f"{shown}+00:00",
        "fakeIp": None,
        "ingest_time": second * 1_000,
        "ip": request.address,
        "method": "POST",
        "path": "/collect",
        "platform": platform,
        "rid": f"{rng.getrandbits(128):032x}",
        "server_ingest_time": second * 1_000,
        "source_type": "http_server",
        "timestamp": f"{shown}.{request.received_ms % 1_000:03d}{rng.randrange(1_000_000):06d}Z",
        "ua": request.user.agent,
        "uri": f"/collect?{query}",
    }
