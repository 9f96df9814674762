"""Compares suspects by their ids: finds the chains of each event, and the duplicates that are left out.

Rows of an event are compared together. Any division of events into parts ends in the same duplicates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.commit.suspects import Link
from streaming_app.lake.files import DataFile
from streaming_app.lake.hashes import stable_hashes
from streaming_app.lake.lake import Lake
from streaming_app.lake.rows import iter_row_groups
from streaming_app.model.lineage import request_ids, source_positions
from streaming_app.model.tables import Table
from streaming_app.model.times import DAY_MS

_EVENT = ("app_id", "event_id")
_PRECEDENCE = ("event_time_msec", "ingest_time_msec", "request", "rank", "source_position")
_DETAILS = ("event_id", "event_time_msec", "ingest_time_msec", "process_info", "user_pseudo_id")
_LEFT_OUT = -1
"""File number of a duplicate that is not stored in any file."""
_SCHEMA = pa.schema(
    [
        ("app_id", pa.string()),
        ("event_id", pa.string()),
        ("event_time_msec", pa.int64()),
        ("ingest_time_msec", pa.int64()),
        ("request", pa.string()),
        ("rank", pa.int64()),
        ("source_position", pa.string()),
        ("user_pseudo_id", pa.string()),
        ("file", pa.int64()),
        ("row", pa.int64()),
    ]
)
_EPOCH = date(1970, 1, 1)


class SuspectFile(NamedTuple):
    """Suspects of one data file: ``indexes`` are those of their rows (uint32).

    Of rows of one and the same request, one of a smaller ``rank`` stays.
    """

    number: int
    app_id: str
    path: str
    rows: int
    rank: int
    indexes: bytes

    @property
    def seconds(self) -> float:
        """The CPU-seconds to read them, about: nearly every row group has one."""
        return self.rows * 1e-6


class LeftOutDuplicate(NamedTuple):
    """An event, by its hash, of which a duplicate of ``day`` is left out, while no row of that day is stored."""

    day: date
    app_id: str
    hash: int


class Comparison(msgspec.Struct):
    """The duplicates among some events."""

    lost: dict[int, bytes] = msgspec.field(default_factory=dict)
    """Indexes of rows (uint32) that are duplicates, by the number of their file."""
    users: list[tuple[str, str]] = msgspec.field(default_factory=list)
    """App and id of users that have a stored row which a new one replaces, or such a new row."""
    left_out: list[LeftOutDuplicate] = msgspec.field(default_factory=list)


def read_suspects(lake: Lake, table: Table, file: SuspectFile) -> Iterator[pa.Table]:
    """The suspects of a file in the columns that are compared; only row groups that hold one are read."""
    mask = np.zeros(file.rows, bool)
    mask[np.frombuffer(file.indexes, "<u4")] = True
    stored = DataFile(file.path, {}, 0, file.rows)
    for first, rows in iter_row_groups(lake, table, stored, _DETAILS, mask):
        indexes = np.flatnonzero(mask[first : first + len(rows)])
        found = rows.take(pa.array(indexes))
        yield _suspects_table(
            found,
            app_id=_repeat(file.app_id, len(found)),
            ingest_time_msec=pc.fill_null(found["ingest_time_msec"], 0),
            request=request_ids(found["process_info"]),
            rank=_repeat(file.rank, len(found)),
            source_position=source_positions(found["process_info"]),
            file=_repeat(file.number, len(found)),
            row=pa.array(first + indexes),
        )


def _suspects_table(rows: pa.Table, **columns: pa.Array | pa.ChunkedArray) -> pa.Table:
    return pa.table([columns[name] if name in columns else rows[name] for name in _SCHEMA.names], _SCHEMA.names).cast(_SCHEMA)


def _repeat(value: str | int, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)


def compare(rows: pa.Table, links: Sequence[tuple[str, Link]], new_files: frozenset[int], neighbour_days: int) -> Comparison:
    """Find the duplicates among all suspects of some events; ``links`` are of these events too, each with its app.

    Of a chain all rows but the first are duplicates.
    """
    # 1. Sort all rows by event and precedence.
    rows = pa.concat_tables([rows, _link_rows(rows, links)]).sort_by([(name, "ascending") for name in (*_EVENT, *_PRECEDENCE)])
    # 2. Number the chains: one ends where the event changes, or where the next row is too many days later.
    days = rows["event_time_msec"].to_numpy() // DAY_MS
    begins = np.ones(len(rows), bool)
    begins[1:] = ~_same_event(rows) | (np.diff(days) > neighbour_days)
    chains = np.cumsum(begins) - 1
    # 3. Keep the first stored or new row of each chain.
    files = rows["file"].to_numpy()
    real = np.flatnonzero(files != _LEFT_OUT)
    _, first = np.unique(chains[real], return_index=True)
    winners = np.full(len(begins), -1)  # of each chain, -1 where no row is stored or new
    winners[chains[real[first]]] = real[first]
    lost = real[winners[chains[real]] != real]
    found = Comparison(_indexes_by_file(files[lost], rows["row"].to_numpy()[lost]))
    # 4. Collect the users of stored rows that are now duplicates, and of the rows that replace them.
    replaced = lost[~np.isin(files[lost], list(new_files))]
    found.users = _users(rows.take(pa.array(np.concatenate([replaced, winners[chains[replaced]]]))))
    # 5. Remember the duplicates on whose day no row is stored.
    apart = lost[days[lost] != days[winners[chains[lost]]]]
    found.left_out = _left_out(rows.take(pa.array(apart)), days[apart])
    return found


def _link_rows(rows: pa.Table, links: Sequence[tuple[str, Link]]) -> pa.Table:
    """Duplicates that are not stored, as rows: of each link, one for each event among ``rows`` that has its hash."""
    if not links:
        return _SCHEMA.empty_table()
    events = rows.select(_EVENT).group_by(list(_EVENT), use_threads=False).aggregate([])
    keys = zip(*(events[name].to_pylist() for name in _EVENT), stable_hashes(events["event_id"]).tolist(), strict=True)
    ids: dict[tuple[str, int], list[str]] = {}
    for app_id, event_id, hashed in keys:
        ids.setdefault((app_id, hashed), []).append(event_id)
    found = [
        {"app_id": app_id, "event_id": event_id, "event_time_msec": (link.day - _EPOCH).days * DAY_MS}
        for app_id, link in links
        for event_id in ids.get((app_id, link.hash), ())
    ]
    common = {"ingest_time_msec": 0, "request": "", "rank": 0, "source_position": "", "file": _LEFT_OUT, "row": 0}
    return pa.Table.from_pylist([each | common for each in found], schema=_SCHEMA)


def _same_event(rows: pa.Table) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Per row but the first, whether it is of the same event as the row before."""
    same = (pc.equal(rows[name][1:], rows[name][:-1]).to_numpy() for name in _EVENT)
    return np.logical_and.reduce(list(same))


def _indexes_by_file(files: np.ndarray[Any, Any], indexes: np.ndarray[Any, Any]) -> dict[int, bytes]:
    return {int(file): indexes[files == file].astype("<u4").tobytes() for file in np.unique(files)}


def _users(rows: pa.Table) -> list[tuple[str, str]]:
    users = zip(rows["app_id"].to_pylist(), rows["user_pseudo_id"].to_pylist(), strict=True)
    return sorted({(app_id, user) for app_id, user in users if user is not None})


def _left_out(rows: pa.Table, days: Iterable[Any]) -> list[LeftOutDuplicate]:
    if not len(rows):
        return []
    hashes = stable_hashes(rows["event_id"]).tolist()
    return [
        LeftOutDuplicate(_EPOCH + timedelta(days=int(day)), app_id, hashed)
        for day, app_id, hashed in zip(days, rows["app_id"].to_pylist(), hashes, strict=True)
    ]
