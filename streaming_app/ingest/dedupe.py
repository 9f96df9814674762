"""Exactly once: which copies of an event stay, decided before the commit.

An event is ``(app_id, event_id)``. Copies are compared within the batch and with the table's files of the touched days;
the copy with the smallest (event time, ingest time, request id) stays, so that any split and order of the input ends in the
same row. Of one and the same request read twice, a committed copy stays, else the first by file and line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.engine import query
from streaming_app.ingest.hashes import Hashes, Mask, among, repeated
from streaming_app.model.process_info import places, requests
from streaming_app.storage import Storage
from streaming_app.tables.files import LiveFile, WrittenFile
from streaming_app.tables.rows import read_columns

_ORDER = ("event_time_msec", "ingest_time_msec", "request", "stored_first", "place")
_DETAILS = ["event_id", "event_time_msec", "ingest_time_msec", "process_info", "user_pseudo_id"]


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of one table, new or committed; ``path`` is relative to ``root``."""

    root: str
    path: str
    app_id: str
    is_new: bool


@dataclass
class Losers:
    """Copies that do not stay: of ``file``, these rows."""

    file: DataFile
    rows: pa.Table
    """Among others event_id and place (raw file and line): together they name a copy; and row, its position."""


@dataclass
class Verdict:
    """The losing copies, file by file; ``changed_users`` lost a committed copy to a new one."""

    new: list[Losers] = field(default_factory=list)
    stored: list[Losers] = field(default_factory=list)
    changed_users: set[tuple[str, str]] = field(default_factory=set)


def touched(files: Iterable[WrittenFile], stored: Iterable[LiveFile], neighbour_days: int) -> list[LiveFile]:
    """The committed files in which a copy of a new event can be: same app, same or a neighbouring day."""
    near = {
        (file.partition["app_id"], _day(file.partition) + timedelta(days=shift))
        for file in files
        for shift in range(-neighbour_days, neighbour_days + 1)
    }
    return [file for file in stored if (file.partition["app_id"], _day(file.partition)) in near]


def _day(partition: dict[str, str]) -> date:
    return date(int(partition["year"]), int(partition["month"]), int(partition["day"]))


def judge(new: list[DataFile], stored: list[DataFile], storage: Storage) -> Verdict:
    """Compare all copies of all apps."""
    verdict = Verdict()
    for app_id in sorted({file.app_id for file in new}):
        of_app = [file for file in new if file.app_id == app_id]
        _judge_app(of_app, [file for file in stored if file.app_id == app_id], storage, verdict)
    return verdict


def _judge_app(new: list[DataFile], stored: list[DataFile], storage: Storage, verdict: Verdict) -> None:
    suspects = _suspects(new, stored, storage)
    if suspects:
        _compare(list(suspects), list(suspects.values()), storage, verdict)


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
    ids = read_columns(f"{file.root}/{file.path}", ["event_id"], storage)
    return np.asarray(query("SELECT hash(event_id) AS hash FROM ids", ids=ids)["hash"].to_numpy(), np.uint64)


def _compare(files: list[DataFile], suspects: list[Mask], storage: Storage, verdict: Verdict) -> None:
    """Order the copies of each suspect; all but the first lose."""
    copies = pa.concat_tables(_copies(files, suspects, storage))
    copies = copies.sort_by([("event_id", "ascending"), *((name, "ascending") for name in _ORDER)])
    same_as_before = pc.equal(copies["event_id"][1:], copies["event_id"][:-1])
    losing = pa.concat_arrays([pa.array([False]), same_as_before.combine_chunks()])
    lost, won = copies.filter(losing), copies.filter(pc.invert(losing))
    replaced: list[str] = []
    for number in pc.unique(lost["file"]).to_pylist():
        rows = lost.filter(pc.equal(lost["file"], number))
        file = files[number]
        (verdict.new if file.is_new else verdict.stored).append(Losers(file, rows))
        if not file.is_new:
            replaced += rows["event_id"].to_pylist()
            verdict.changed_users |= _users(file.app_id, rows)
    if replaced:
        winners = won.filter(pc.is_in(won["event_id"], pa.array(replaced)))
        verdict.changed_users |= _users(files[0].app_id, winners)


def _copies(files: list[DataFile], suspects: list[Mask], storage: Storage) -> Iterator[pa.Table]:
    for number, (file, mask) in enumerate(zip(files, suspects, strict=True)):
        for rows in _suspect_rows(file, mask, storage):
            received = pc.fill_null(rows["ingest_time_msec"], 0)
            yield (
                rows.set_column(rows.column_names.index("ingest_time_msec"), "ingest_time_msec", received)
                .append_column("place", places(rows["process_info"]))
                .append_column("request", requests(rows["process_info"]))
                .append_column("file", pa.repeat(number, rows.num_rows))
                .append_column("stored_first", pa.repeat(int(file.is_new), rows.num_rows))
                .combine_chunks()
            )


def _suspect_rows(file: DataFile, suspects: Mask, storage: Storage) -> Iterator[pa.Table]:
    """Rows of the suspects with their position; only row groups that hold one are read."""
    system, root = storage.filesystem(file.root)
    with pq.ParquetFile(f"{root}/{file.path}", filesystem=system) as parquet:
        first = 0
        for group in range(parquet.num_row_groups):
            mask = suspects[first : first + parquet.metadata.row_group(group).num_rows]
            if mask.any():
                table = parquet.read_row_group(group, columns=_DETAILS)
                yield table.append_column("row", pa.array(np.arange(first, first + len(mask)))).filter(pa.array(mask))
            first += len(mask)


def _users(app_id: str, rows: pa.Table) -> set[tuple[str, str]]:
    return {(app_id, user) for user in rows["user_pseudo_id"].to_pylist() if user is not None}
