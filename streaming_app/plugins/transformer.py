"""The transformer contract: the interface of built-in and custom transformers."""

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
    """An element that cannot be used: it alone is stored in ``quarantine``, the other elements are processed."""

    reason: Reason
    message: str
    position: int | None = None
    """Position of the element in the payload; None for the payload as a whole."""
    error_class: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on the payloads that a transformer reads (bytes, counts)."""

    max_payload_bytes: int = 40_000_000
    max_payload_ratio: float = 200
    max_event_bytes: int = 10_000_000
    max_events_per_request: int = 50_000
    max_depth: int = 64
    max_items_per_event: int = 1_000

    def decoded_bytes(self, packed_bytes: int) -> int:
        """Maximum decompressed size of so many bytes: a decompression bomb is recognised by ratio as well as by size."""
        return min(self.max_payload_bytes, max(self.max_event_bytes, int(packed_bytes * self.max_payload_ratio)))


@runtime_checkable
class Transformer(Protocol):
    """Turns requests into events. Plain Python, created once per worker as ``Class(limits)``.

    ``transform`` yields events and changes of attributes in the client's own time, and raises
    :class:`~streaming_app.errors.InputError` for a payload that cannot be read at all. Clocks are corrected, and the time and
    app rules applied, by ingest. After any other exception, ingest calls ``transform`` again for each element, with
    ``first_position`` set, and quarantines only the element that raises.

    With ``PROFILES_IN_ALL_EVENTS = True`` the user attributes of all of its events are merged into ``user``; otherwise only
    those of ``_profile_set`` events.
    """

    def transform(self, request: Request) -> Iterable[Event | Change | Rejected]:
        """Transform the elements of one request, in payload order.

        Raises:
            InputError: the payload as a whole cannot be read.
        """
        ...
