"""Deduplicates events within a task: a duplicate is not written if one read earlier takes precedence.

Duplicates across tasks and batches are found before the commit, see ``ingest/commit``.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.commit.hashes import duplicates_in_sorted, isin_sorted
from streaming_app.lake.hashes import IdHashes
from streaming_app.lake.rows import RowMask
from streaming_app.model.change import Change
from streaming_app.model.event import Event
from streaming_app.model.times import DAY_MS

_EventKey = tuple[str, str, int]
"""App, event id and day. Which rows of other days are duplicates depends on all of them, so that is decided at the commit."""
_Precedence = tuple[int, int, str]
"""Event time, receive time (both epoch ms) and request id: the smallest takes precedence."""


_EventOrChange = TypeVar("_EventOrChange", Event, Change)


def drop_repeats_in_request(events: list[_EventOrChange]) -> list[_EventOrChange]:
    """Keep one event (or change) per id and day of a request: the earliest; on a tie, the first in the payload."""
    best: dict[tuple[str | None, int], _EventOrChange] = {}
    for event in events:
        time = event.event_time_msec or 0
        key = event.event_id, time // DAY_MS
        rival = best.get(key)
        if rival is None or time < (rival.event_time_msec or 0):
            best[key] = event
    return list(best.values())


GENERATION_ROWS = 1 << 20
"""Rows after which those remembered before the last so many are forgotten: two generations take 0.3 GB."""


class TaskDeduplicator:
    """Remembers, for each event and day in a task, the duplicate that takes precedence: by event time, receive time, request id.

    A task reads about half a million events, of which one in a hundred is a duplicate. All are kept as columns of some 140 bytes
    each, and only duplicates are compared one by one (a dictionary took 300 bytes each).

    One raw file can have a hundred times as many, and is read by one task, so that rows are forgotten again, a generation at a
    time. A duplicate of a forgotten row is written, and removed before the commit as those of other tasks are.
    """

    def __init__(self) -> None:
        self._generations = [_Generation()]  # the newest first

    def keep_mask(self, events: pa.Table) -> RowMask:
        """Per row, whether it takes precedence over all its duplicates so far; those written before it are removed at the commit.

        ``events`` has the columns :data:`COMPARED`.

        1. Find suspects: rows whose hash was seen before, or occurs twice here.
        2. Compare the suspects by their keys with the best duplicate so far, in order.
        3. Remember all rows.
        """
        rows = _compact(events)
        hashes = _hash_keys(events)  # not taken from the compact rows: decoding a dictionary takes 1.8 µs an event
        suspect = isin_sorted(hashes, duplicates_in_sorted(np.sort(hashes)))
        for each in self._generations:
            suspect |= isin_sorted(hashes, each.hashes)
        keep = np.ones(len(rows), bool)
        if suspect.any():
            earlier: dict[_EventKey, _Precedence] = {}
            for each in self._generations:  # the oldest last: among rows that were never compared it is the best
                earlier |= each.rows_with_hashes(hashes[suspect])
            for row in np.flatnonzero(suspect).tolist():
                keep[row] = self._is_better(*_key_and_precedence(rows, row), earlier)
        if len(self._generations[0].hashes) >= GENERATION_ROWS:
            self._generations = [_Generation(), self._generations[0]]
        self._generations[0].remember(rows, hashes)
        return keep

    def _is_better(self, key: _EventKey, precedence: _Precedence, earlier: dict[_EventKey, _Precedence]) -> bool:
        known = (each.best.get(key) for each in self._generations)
        best = next(filter(None, known), None) or earlier.get(key)
        if best is not None and precedence >= best:
            return False
        self._generations[0].best[key] = precedence
        return True


class _Generation:
    """Some rows that a task met, one after the other."""

    def __init__(self) -> None:
        self.hashes = np.empty(0, np.uint64)
        """Of all rows, in ascending order."""
        self.best: dict[_EventKey, _Precedence] = {}
        """Of the events that came again."""
        self._row_indexes = np.empty(0, np.int64)  # for each hash the index of its row among all rows
        self._tables: list[pa.Table] = []
        self._first_rows: list[int] = []  # the index of each table's first row

    def rows_with_hashes(self, hashes: IdHashes) -> dict[_EventKey, _Precedence]:
        """The rows that have one of these hashes."""
        first, after = (np.searchsorted(self.hashes, np.unique(hashes), side) for side in ("left", "right"))
        indexes = [self._row_indexes[each] for begin, end in zip(first, after, strict=True) for each in range(begin, end)]
        tables = [bisect_right(self._first_rows, index) - 1 for index in indexes]
        return dict(
            _key_and_precedence(self._tables[table], index - self._first_rows[table])
            for table, index in zip(tables, indexes, strict=True)
        )

    def remember(self, rows: pa.Table, hashes: IdHashes) -> None:
        """Add rows, with their hashes."""
        start = self._first_rows[-1] + len(self._tables[-1]) if self._tables else 0
        self._tables.append(rows)
        self._first_rows.append(start)
        order = np.argsort(hashes)
        where = np.searchsorted(self.hashes, hashes[order])
        self.hashes = np.insert(self.hashes, where, hashes[order])
        self._row_indexes = np.insert(self._row_indexes, where, start + order)


_KEY = ("app_id", "event_id")
COMPARED = (*_KEY, "event_time_msec", "ingest_time_msec", "request_id")
"""The columns by which duplicates are found and compared."""


def _compact(events: pa.Table) -> pa.Table:
    """The columns to remember, those with few distinct values dictionary-encoded."""
    columns = {name: events[name] for name in (*_KEY, "event_time_msec")}
    columns["ingest_time_msec"] = pc.fill_null(events["ingest_time_msec"], 0)
    columns["request"] = pc.fill_null(events["request_id"], "").dictionary_encode()
    columns["app_id"] = events["app_id"].dictionary_encode()
    return pa.table(columns)


def _hash_keys(events: pa.Table) -> IdHashes:
    days = (events["event_time_msec"].to_numpy() // DAY_MS).tolist()
    keys = zip(*(events[name].to_pylist() for name in _KEY), days, strict=True)
    return np.fromiter(map(hash, keys), np.int64, len(events)).view(np.uint64)


def _key_and_precedence(rows: pa.Table, row: int) -> tuple[_EventKey, _Precedence]:
    app_id, event_id, time, received, request = (column[row].as_py() for column in rows.columns)
    return (app_id, event_id, time // DAY_MS), (time, received, request)
