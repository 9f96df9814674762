"""Copies of one event that meet in a task: only those that may stay are written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

import pyarrow as pa

from streaming_app.model.change import Change
from streaming_app.model.event import Event

_Order = tuple[int, int, str]


_Row = TypeVar("_Row", Event, Change)


def without_twins(events: list[_Row]) -> list[_Row]:
    """One event (or change) per id within a request: the earliest, of equally early ones the first in the payload."""
    best: dict[str | None, _Row] = {}
    for event in events:
        rival = best.get(event.event_id)
        if rival is None or (event.event_time_msec or 0) < (rival.event_time_msec or 0):
            best[event.event_id] = event
    return list(best.values())


class Copies:
    """Remembers the best copy of each event that a task has met, by (event time, receive time, request id)."""

    def __init__(self) -> None:
        self._best: dict[str, dict[str, _Order]] = defaultdict(dict)

    def may_stay(self, events: pa.Table, request_ids: Iterable[str]) -> list[bool]:
        """Per row, whether it is better than all its copies met before; one that wins late is told apart by the commit."""
        columns = ("app_id", "event_id", "event_time_msec", "ingest_time_msec")
        rows = zip(*(events[name].to_pylist() for name in columns), request_ids, strict=True)
        return [self._is_better(app, event, (time, received or 0, request)) for app, event, time, received, request in rows]

    def _is_better(self, app_id: str, event_id: str, order: _Order) -> bool:
        seen = self._best[app_id]
        best = seen.get(event_id)
        if best is not None and order >= best:
            return False
        seen[event_id] = order
        return True
