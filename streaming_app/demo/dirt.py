"""What goes wrong on the way to the ingestion endpoint, whatever the client."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from random import Random

import msgspec
import pybase64

from streaming_app.demo.demo_request import DemoRequest
from streaming_app.demo.world import DAY_MS, HOUR_MS, Json
from streaming_app.errors import Reason

_FRESHNESS_MS = 72 * HOUR_MS  # what rules.freshness_hours is by default
_UNREADABLE = (b'{"event_type":"_scroll","event_id":"e-1","timestamp":}', b"undefined", b'"[object Object]"')
_LIKE_JSON = b"[{ \t\n\r\v\f"
"""Garbage that begins so would be taken for an element."""


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


_ELEMENTS = {
    Dirt.LATE: Reason.TOO_LATE,
    Dirt.FUTURE: Reason.IN_FUTURE,
    Dirt.NO_ID: Reason.MALFORMED_EVENT,
    Dirt.UNREADABLE: Reason.MALFORMED_EVENT,
}
"""Dirt that is one more element among good ones, and the reason for which that is refused."""


def spoil(requests: list[DemoRequest], case: Dirt, rng: Random) -> None:
    """Do one case of dirt to the requests of a visit: change one of them, or add one."""
    at = rng.choice([number for number, request in enumerate(requests) if request.good])
    victim = requests[at]
    if case in _ELEMENTS:
        requests[at] = _with_element(victim, case, rng)
    elif case is Dirt.RESENT:
        requests.append(victim.make_copy(rng))
    else:
        requests.append(_bad_request(victim, case, rng))


def _with_element(victim: DemoRequest, case: Dirt, rng: Random) -> DemoRequest:
    at = rng.randint(0, len(victim.elements))
    elements = (*victim.elements[:at], _bad_element(victim, case, rng), *victim.elements[at:])
    return replace(victim, elements=elements, bad=(*victim.bad, _ELEMENTS[case]))


def _bad_element(victim: DemoRequest, case: Dirt, rng: Random) -> Json | msgspec.Raw:
    if case is Dirt.UNREADABLE:
        return msgspec.Raw(rng.choice(_UNREADABLE))
    event = victim.make_element(rng)
    if case is Dirt.LATE:
        victim.move(event, -_FRESHNESS_MS - rng.randint(HOUR_MS, 3 * DAY_MS))
    elif case is Dirt.FUTURE:
        victim.move(event, 365 * DAY_MS)
    else:
        del event[victim.REQUIRED]
    return event


def _bad_request(victim: DemoRequest, case: Dirt, rng: Random) -> DemoRequest:
    """A request of its own, none of which can be used."""
    request = victim.make_next(rng.randint(100, 900))
    if case is Dirt.BROKEN_LINE:
        return replace(request, is_cut=True, bad=(Reason.MALFORMED_LINE,))
    if case is Dirt.GARBAGE:
        data = rng.randbytes(300).lstrip(_LIKE_JSON)
        return replace(request, data=pybase64.b64encode_as_string(data), bad=(Reason.MALFORMED_PAYLOAD,))
    stray = replace(request, app_id=f"{victim.app_id}-staging")
    events = tuple(stray.make_element(rng) for _ in range(rng.randint(1, 3)))
    return replace(stray, elements=events, bad=(Reason.UNKNOWN_APP,) * len(events))
