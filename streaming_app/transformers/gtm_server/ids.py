"""Ids of GTM events, which have none of their own, and the events that follow from another one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from streaming_app.model.coerce import as_text
from streaming_app.model.event import Event
from streaming_app.model.request import Request

_encode = msgspec.json.Encoder(order="deterministic").encode
_FIRST_OPEN, _SESSION_START = "-first-open", "-session-start"
_LONGEST = 255 - len(_SESSION_START)
"""Bytes of an id to which a suffix is added: the column holds 255, and what is cut off would make two events one."""
_DIGEST_BYTES = 16

_BASE_ONLY: dict[str, Any] = dict.fromkeys(
    ("items", "user_properties_json_str", "event_value", "event_value_currency", "user_engagement_time_msec")
)
"""What the base event alone has: a sum over all events would count it twice."""
_NO = (None, "", "0", "false")


def event_id(request: Request, element: dict[str, Any], position: int, session: str | None, number: int | None) -> str:
    """``rid-position-session-number`` as in the reference system: ``null`` for no session, ``x`` for no number.

    Of a request without an id it is, in place of that, a digest of its receive time and the element: the same whenever the
    same line is read. An id that is too long is the digest of itself.
    """
    origin = request.rid or _digest(_encode([request.ingest_time, element]))
    own = f"-{position}-{'null' if session is None else session}-{'x' if number is None else number}"
    # A character has 4 bytes at most.
    if len(origin) + len(own) <= _LONGEST // 4 or (len(origin) <= _LONGEST and len(f"{origin}{own}".encode()) <= _LONGEST):
        return origin + own
    digest = _begun(origin).copy()
    digest.update(own.encode())
    return digest.hexdigest()


@lru_cache(1)  # all events of a request have its id: however long it is, it is read once
def _begun(origin: str) -> hashlib.blake2b:
    return hashlib.blake2b(origin.encode(), digest_size=_DIGEST_BYTES)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()


def derive_events(base: Event, system: dict[str, Any]) -> Iterator[Event]:
    """``_first_open`` and ``_session_start``: copies of the event that began a first visit (``fv``) or a session (``ss``)."""
    first_visit, session_start = as_text(system.get("fv")), as_text(system.get("ss"))
    if (first_visit and first_visit.lower()) not in _NO:
        yield _copy(base, "_first_open", _FIRST_OPEN)
    if session_start in ("1", "true"):
        yield _copy(base, "_session_start", _SESSION_START)


def _copy(base: Event, name: str, suffix: str) -> Event:
    event_id = f"{base.event_id}{suffix}"
    return msgspec.structs.replace(base, event_name=name, event_id=event_id, is_derived=True, **_BASE_ONLY)
