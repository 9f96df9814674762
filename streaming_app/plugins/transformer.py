"""The transformer contract: what a built-in and a user's own class alike must offer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import msgspec

from streaming_app.errors import Reason
from streaming_app.model.change import Change
from streaming_app.model.event import Event
from streaming_app.model.request import Request


class Rejected(msgspec.Struct):
    """An element that is no event: it goes to ``quarantine`` alone, its siblings go on."""

    reason: Reason
    message: str
    position: int | None = None
    """Which element of the payload; the payload as a whole where absent."""
    error_class: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds a transformer must respect while it reads (bytes, counts)."""

    max_payload_bytes: int = 40_000_000
    max_payload_ratio: float = 200
    max_event_bytes: int = 10_000_000
    max_events_per_request: int = 50_000
    max_depth: int = 64
    max_items_per_event: int = 1_000

    def decoded_bytes(self, packed_bytes: int) -> int:
        """What so many packed bytes may become: a bomb stands out by its ratio as well as by its size."""
        return min(self.max_payload_bytes, max(self.max_event_bytes, int(packed_bytes * self.max_payload_ratio)))


@runtime_checkable
class Transformer(Protocol):
    """Plain Python, made once per worker as ``Class(limits)``.

    ``transform`` yields events and changes of attributes in the client's own time and raises
    :class:`~streaming_app.errors.InputError` for a payload that cannot be read at all. The pass corrects clocks and applies
    the freshness and app rules. After any other exception it calls again, element by element with ``first_position`` set,
    and quarantines only the element that raises.

    A class with ``PROFILES_IN_ALL_EVENTS = True`` says that the user attributes of each of its events count for ``user``;
    otherwise those of ``_profile_set`` events do.
    """

    def transform(self, request: Request) -> Iterable[Event | Change | Rejected]:
        """What the elements of one request are, in payload order.

        Raises:
            InputError: the payload as a whole cannot be read.
        """
        ...
