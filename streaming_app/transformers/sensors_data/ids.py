"""Ids of Sensors Data messages, which have none of their own.

A message that is sent again comes in another request, maybe together with others, with a new ``_flush_time``: an id that is to
tell the copy from a new event must be made of the rest of it. The reference system's ``rid-position-distinct_id`` cannot.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(order="deterministic").encode
_IDENTITY = ("distinct_id", "_track_id", "time", "type", "event", "item_type", "item_id")
"""What tells a message apart that has a ``_track_id``: a number which the SDK draws for it."""
_SENT_ANEW = "_flush_time"
_DIGEST_BYTES = 16

FIRST_OPEN, LINK = "-first-open", "-link"
_LONGEST = 255 - len(FIRST_OPEN)
"""Bytes of an id to which a suffix is added: the column holds 255, and what is cut off would make two events one."""


def digest(value: Any) -> str:
    """32 hex digits of a JSON value, whatever the order of its keys."""
    return hashlib.blake2b(_encode(value), digest_size=_DIGEST_BYTES).hexdigest()


def message_id(message: dict[str, Any], seen: dict[str, int]) -> str:
    """The same for every copy of a message.

    Without a ``_track_id`` (servers' SDKs) it is made of the whole message. Equal messages of one request are no copies, as
    no SDK sends the same one twice at once: ``seen`` counts them, by id.
    """
    if message.get("_track_id") is not None:
        return digest([message.get(key) for key in _IDENTITY])
    made = digest({key: value for key, value in message.items() if key != _SENT_ANEW})
    before = seen[made] = seen.get(made, -1) + 1
    return f"{made}-{before}" if before else made


def request_id(rid: str, position: int, distinct_id: Any) -> str:
    """``rid-position-distinct_id``, as the reference system makes it; a digest of it where that is too long."""
    own = f"-{position}-{'null' if distinct_id is None else distinct_id}"
    # A character has 4 bytes at most.
    if len(rid) + len(own) <= _LONGEST // 4 or (len(rid) <= _LONGEST and len(f"{rid}{own}".encode()) <= _LONGEST):
        return rid + own
    made = _begun(rid).copy()
    made.update(_encode(own)[1:])  # the digest of both as one JSON text
    return made.hexdigest()


@lru_cache(1)  # all messages of a request have its id: however long it is, it is read once
def _begun(rid: str) -> hashlib.blake2b:
    return hashlib.blake2b(_encode(rid)[:-1], digest_size=_DIGEST_BYTES)
