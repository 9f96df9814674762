"""Copies of one event that meet in a task: only those that may stay are written."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.commit.hashes import Hashes, Mask, among, repeated
from streaming_app.model.bounds import DAY_MS
from streaming_app.model.change import Change
from streaming_app.model.event import Event

_Key = tuple[str, str, int]
"""App, event id and day: which copies of other days are duplicates depends on all of them, and is decided by the commit."""
_Order = tuple[int, int, str]


_Row = TypeVar("_Row", Event, Change)


def drop_repeats_in_request(events: list[_Row]) -> list[_Row]:
    """One event (or change) per id and day within a request: the earliest, of equally early ones the first in the payload."""
    best: dict[tuple[str | None, int], _Row] = {}
    for event in events:
        time = event.event_time_msec or 0
        key = event.event_id, time // DAY_MS
        rival = best.get(key)
        if rival is None or time < (rival.event_time_msec or 0):
            best[key] = event
    return list(best.values())


class TaskDeduplicator:
    """Remembers the best copy of each event and day that a task has met, by (event time, receive time, request id).

    A task meets half a million events, and one in a hundred again: all are kept in some 80 bytes each, as columns, and only
    what comes again is looked at one by one (as a dictionary, they took 300 bytes each, which then no other could use).
    """

    def __init__(self) -> None:
        self._hashes = np.empty(0, np.uint64)  # of all rows met, in ascending order,
        self._places = np.empty(0, np.int64)  # and the place of each among them
        self._batches: list[pa.Table] = []
        self._starts: list[int] = []
        self._best: dict[_Key, _Order] = {}  # of those that came again

    def keep_mask(self, events: pa.Table, request_ids: Iterable[str]) -> Mask:
        """Per row, whether it is better than all its copies met before; one that wins late is told apart by the commit."""
        rows = _compact(events, request_ids)
        hashes = _hashes(events)  # not of the rows: to unpack a dictionary takes 1.8 µs an event
        again = among(hashes, self._hashes) | among(hashes, repeated(np.sort(hashes)))
        stay = np.ones(len(rows), bool)
        if again.any():
            earlier = self._met(hashes[again])
            for row in np.flatnonzero(again).tolist():
                stay[row] = self._is_better(*_row(rows, row), earlier)
        self._remember(rows, hashes)
        return stay

    def _is_better(self, key: _Key, order: _Order, earlier: dict[_Key, _Order]) -> bool:
        best = self._best.get(key) or earlier.get(key)
        if best is not None and order >= best:
            return False
        self._best[key] = order
        return True

    def _met(self, hashes: Hashes) -> dict[_Key, _Order]:
        """Rows met before that have one of these hashes."""
        first, after = (np.searchsorted(self._hashes, np.unique(hashes), side) for side in ("left", "right"))
        places = [self._places[each] for begin, end in zip(first, after, strict=True) for each in range(begin, end)]
        batches = [bisect_right(self._starts, place) - 1 for place in places]
        return dict(_row(self._batches[batch], place - self._starts[batch]) for batch, place in zip(batches, places, strict=True))

    def _remember(self, rows: pa.Table, hashes: Hashes) -> None:
        start = self._starts[-1] + len(self._batches[-1]) if self._batches else 0
        self._batches.append(rows)
        self._starts.append(start)
        order = np.argsort(hashes)
        where = np.searchsorted(self._hashes, hashes[order])
        self._hashes = np.insert(self._hashes, where, hashes[order])
        self._places = np.insert(self._places, where, start + order)


_KEY = ("app_id", "event_id")
KNOWN_BY = (*_KEY, "event_time_msec", "ingest_time_msec")
"""The columns of events that are looked at, beside the request."""


def _compact(events: pa.Table, request_ids: Iterable[str]) -> pa.Table:
    """What is remembered of events."""
    columns = {name: events[name] for name in (*_KEY, "event_time_msec")}
    columns["ingest_time_msec"] = pc.fill_null(events["ingest_time_msec"], 0)
    columns["request"] = pa.array(request_ids, pa.string()).dictionary_encode()
    columns["app_id"] = events["app_id"].dictionary_encode()
    return pa.table(columns)


def _hashes(events: pa.Table) -> Hashes:
    days = (events["event_time_msec"].to_numpy() // DAY_MS).tolist()
    keys = zip(*(events[name].to_pylist() for name in _KEY), days, strict=True)
    return np.fromiter(map(hash, keys), np.int64, len(events)).view(np.uint64)


def _row(rows: pa.Table, place: int) -> tuple[_Key, _Order]:
    app_id, event_id, time, received, request = (column[place].as_py() for column in rows.columns)
    return (app_id, event_id, time // DAY_MS), (time, received, request)
