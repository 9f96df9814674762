"""Exactly once: which copies of an event stay, decided before the commit.

An event is ``(app_id, event_id)``. Its copies whose days are no further apart than ``dedupe.neighbour_days`` are duplicates,
and so is each that is linked to them by others: a chain of neighbouring days. Of a chain the copy with the smallest (event time,
ingest time, request id) stays, so that any split and order of the input ends in the same rows; of one and the same request read
twice, a committed copy stays, else the first by file and line. Copies further apart are events of their own.

Copies are compared within the batch, with the table's files of the neighbouring days, and with the days of copies that were left
out before (:mod:`.duplicate_days`), which link a new copy to an older one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.ingest.commit.duplicate_days import DuplicateDays, LeftOut, stable_hashes
from streaming_app.ingest.commit.hashes import Hashes, Mask, among, repeated
from streaming_app.lake.duckdb import query
from streaming_app.lake.rows import read_columns
from streaming_app.model.lineage import request_ids, source_positions
from streaming_app.model.times import DAY_MS
from streaming_app.storage.files import Storage

_ORDER = ("event_time_msec", "ingest_time_msec", "request", "stored_first", "place")
_DETAILS = ["event_id", "event_time_msec", "ingest_time_msec", "process_info", "user_pseudo_id"]
Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
_LEFT_OUT = -1
"""In place of a file's number: a copy that is not stored."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of one table, new or committed; ``path`` is relative to ``root``."""

    root: str
    path: str
    app_id: str
    day: date
    is_new: bool


@dataclass
class Losers:
    """Copies that do not stay: of ``file``, these rows."""

    file: DataFile
    rows: pa.Table
    """Among others event_id and place (raw file and line): together they name a copy; and row, its position."""


@dataclass
class Verdict:
    """The losing copies, file by file; ``changed_users`` lost a committed copy to a new one; ``left_out`` is to be remembered."""

    new: list[Losers] = field(default_factory=list)
    stored: list[Losers] = field(default_factory=list)
    changed_users: set[tuple[str, str]] = field(default_factory=set)
    left_out: LeftOut = field(default_factory=dict)


def judge(new: list[DataFile], stored: list[DataFile], left_out: DuplicateDays, neighbour_days: int, storage: Storage) -> Verdict:
    """Compare all copies of all apps; ``stored`` are all committed files, of which those of the days in question are read."""
    verdict = Verdict()
    for app_id in sorted({file.app_id for file in new}):
        by_day: dict[date, list[DataFile]] = {}
        for file in stored:
            if file.app_id == app_id:
                by_day.setdefault(file.day, []).append(file)
        copies = _Copies([file for file in new if file.app_id == app_id], by_day, left_out, neighbour_days, storage)
        copies.judge(verdict)
    return verdict


class _Copies:
    """The copies of an app's new events."""

    def __init__(
        self, new: list[DataFile], stored: dict[date, list[DataFile]], left_out: DuplicateDays, days: int, storage: Storage
    ) -> None:
        self._new, self._stored, self._left_out, self._days, self._storage = new, stored, left_out, days, storage
        self._app_id = new[0].app_id

    def judge(self, verdict: Verdict) -> None:
        near = set().union(*(_around(file.day, self._days) for file in self._new))
        linked, near = self._linked(near)
        files = [file for day in sorted(near) for file in self._stored.get(day, ())]
        suspects = _suspects(self._new, files, self._storage)
        if suspects:
            _compare(list(suspects), list(suspects.values()), linked, self._days, self._storage, verdict)

    def _linked(self, near: set[date]) -> tuple[pa.Table, set[date]]:
        """Copies of the new events that were left out before, and the days that they lead to."""
        links = [_link(pa.array([], pa.string()), date(1970, 1, 1))]
        ids: pa.ChunkedArray | None = None
        seen: set[date] = set()
        while days := near - seen:
            seen |= days
            for day in sorted(days):
                known = self._left_out.on(day, self._app_id)
                if not len(known):
                    continue
                if ids is None:
                    parts = [_ids(file, self._storage) for file in self._new]
                    ids = pa.chunked_array([chunk for part in parts for chunk in part.chunks], pa.string())
                    hashes = stable_hashes(ids)
                found = pc.unique(ids.filter(pa.array(among(hashes, known))))
                if len(found):
                    links.append(_link(found, day))
                    near = near | _around(day, self._days)
        return pa.concat_tables(links), near


def _around(day: date, days: int) -> set[date]:
    return {day + timedelta(days=shift) for shift in range(-days, days + 1)}


def _link(ids: pa.Array, day: date) -> pa.Table:
    """Copies of a day that are not stored, in the columns that copies are compared by."""
    count = len(ids)
    epoch_ms = (day - date(1970, 1, 1)).days * DAY_MS
    texts = pa.repeat(pa.scalar("", pa.string()), count)
    zeros = pa.repeat(pa.scalar(0, pa.int64()), count)
    return pa.table(
        {
            "event_id": ids,
            "event_time_msec": pa.repeat(pa.scalar(epoch_ms, pa.int64()), count),
            "ingest_time_msec": zeros,
            "process_info": texts,
            "user_pseudo_id": texts,
            "row": zeros,
            "place": texts,
            "request": texts,
            "file": pa.repeat(pa.scalar(_LEFT_OUT, pa.int64()), count),
            "stored_first": zeros,
        }
    )


def _ids(file: DataFile, storage: Storage) -> pa.ChunkedArray:
    return read_columns(f"{file.root}/{file.path}", ["event_id"], storage)["event_id"]


def _suspects(new: list[DataFile], stored: list[DataFile], storage: Storage) -> dict[DataFile, Mask]:
    """Rows whose event id may be there more than once."""
    hashes = {file: _hashes(file, storage) for file in new}
    known = np.sort(np.concatenate(list(hashes.values())))
    twice = [repeated(known)]
    found = {}
    for file in stored:
        own = _hashes(file, storage)
        mask = among(own, known)
        if mask.any():
            twice.append(own[mask])
            found[file] = mask
    again = np.unique(np.concatenate(twice))
    return {file: mask for file, own in hashes.items() if (mask := among(own, again)).any()} | found


def _hashes(file: DataFile, storage: Storage) -> Hashes:
    ids = pa.table({"event_id": _ids(file, storage)})
    return np.asarray(query("SELECT hash(event_id) AS hash FROM ids", ids=ids)["hash"].to_numpy(), np.uint64)


def _compare(
    files: list[DataFile], suspects: list[Mask], linked: pa.Table, neighbour_days: int, storage: Storage, verdict: Verdict
) -> None:
    """Tell the chains of each suspect apart; of each, all copies but the first lose."""
    # 1. All copies in their order.
    copies = pa.concat_tables([linked, *_copies(files, suspects, storage)])
    copies = copies.sort_by([("event_id", "ascending"), *((name, "ascending") for name in _ORDER)])
    # 2. A chain ends where the id changes, or where the next copy is too many days later.
    days = copies["event_time_msec"].to_numpy() // DAY_MS
    same_id = pc.equal(copies["event_id"][1:], copies["event_id"][:-1]).to_numpy()
    begins = np.concatenate([[True], ~same_id | (np.diff(days) > neighbour_days)])
    chains = np.cumsum(begins) - 1
    # 3. The first stored or new copy of each chain stays.
    numbers = copies["file"].to_numpy()
    real = np.flatnonzero(numbers != _LEFT_OUT)
    _, first = np.unique(chains[real], return_index=True)
    winners = np.full(len(begins), -1)  # of each chain, -1 where no copy is stored or new
    winners[chains[real[first]]] = real[first]
    lost = real[winners[chains[real]] != real]
    _note_losers(files, copies, numbers, lost, verdict)
    # 4. Users whose stored copy lost, and those of the copies that stay in their place.
    replaced = [row for row in lost if not files[numbers[row]].is_new]
    for rows in (replaced, winners[chains[replaced]]):
        verdict.changed_users |= _users(files[0].app_id, copies.take(pa.array(rows, pa.int64())))
    # 5. What is not stored on its own day is remembered.
    apart = lost[days[lost] != days[winners[chains[lost]]]]
    hashes = stable_hashes(copies["event_id"].take(pa.array(apart))).tolist() if len(apart) else []
    for row, hashed in zip(apart, hashes, strict=True):
        day = date(1970, 1, 1) + timedelta(days=int(days[row]))
        verdict.left_out.setdefault(day, {}).setdefault(files[0].app_id, []).append(hashed)


def _note_losers(files: list[DataFile], copies: pa.Table, numbers: Numbers, lost: Numbers, verdict: Verdict) -> None:
    for number in np.unique(numbers[lost]):
        file = files[number]
        rows = copies.take(pa.array(lost[numbers[lost] == number]))
        (verdict.new if file.is_new else verdict.stored).append(Losers(file, rows))


def _copies(files: list[DataFile], suspects: list[Mask], storage: Storage) -> Iterator[pa.Table]:
    for number, (file, mask) in enumerate(zip(files, suspects, strict=True)):
        for rows in _suspect_rows(file, mask, storage):
            received = pc.fill_null(rows["ingest_time_msec"], 0)
            yield (
                rows.set_column(rows.column_names.index("ingest_time_msec"), "ingest_time_msec", received)
                .append_column("place", source_positions(rows["process_info"]))
                .append_column("request", request_ids(rows["process_info"]))
                .append_column("file", pa.repeat(pa.scalar(number, pa.int64()), rows.num_rows))
                .append_column("stored_first", pa.repeat(pa.scalar(int(file.is_new), pa.int64()), rows.num_rows))
                .combine_chunks()
            )


def _suspect_rows(file: DataFile, suspects: Mask, storage: Storage) -> Iterator[pa.Table]:
    """Rows of the suspects with their position; only row groups that hold one are read."""
    system, root = storage.filesystem(file.root)
    with pq.ParquetFile(f"{root}/{file.path}", filesystem=system, pre_buffer=True) as parquet:
        first = 0
        for group in range(parquet.num_row_groups):
            mask = suspects[first : first + parquet.metadata.row_group(group).num_rows]
            if mask.any():
                table = parquet.read_row_group(group, columns=_DETAILS)
                yield table.append_column("row", pa.array(np.arange(first, first + len(mask)))).filter(pa.array(mask))
            first += len(mask)


def _users(app_id: str, rows: pa.Table) -> set[tuple[str, str]]:
    return {(app_id, user) for user in rows["user_pseudo_id"].to_pylist() if user is not None}
