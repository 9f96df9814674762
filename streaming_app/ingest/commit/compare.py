"""Compares suspects by their ids: finds the chains of each event, and the duplicates that are left out.

Rows of an event are compared together. Any division of events into parts ends in the same duplicates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.commit.task_runner import TaskRunner
from streaming_app.lake.files import DataFile
from streaming_app.lake.hashes import IdHashes, stable_hashes
from streaming_app.lake.ipc import from_ipc, to_ipc
from streaming_app.lake.lake import Lake
from streaming_app.lake.rows import iter_row_groups
from streaming_app.model.lineage import read_lineage
from streaming_app.model.tables import TABLES
from streaming_app.model.times import DAY_MS
from streaming_app.storage.side_by_side import map_side_by_side

_EVENT = ("app_id", "event_id")
_PRECEDENCE = ("event_time_msec", "ingest_time_msec", "request", "rank", "source_position")
_DETAILS = ("event_id", "event_time_msec", "ingest_time_msec", "user_pseudo_id")
_LEFT_OUT = -1
"""File number of a duplicate that is not stored in any file."""
_SCHEMA = pa.schema(
    [
        ("app_id", pa.string()),
        ("event_id", pa.string()),
        ("hash", pa.uint64()),
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
_SECONDS_PER_ROW = 1e-6
"""CPU-seconds to read a row of a file with suspects: nearly every row group has one."""


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


class AppLink(NamedTuple):
    """An event, by its hash, of which an earlier batch left out a duplicate of ``day``."""

    app_id: str
    hash: int
    day: date


Suspect = SuspectFile | AppLink


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
    unpaired_files: list[int] = msgspec.field(default_factory=list)
    """Numbers of files with a suspect whose hash no other suspect has: the rows were not those that have the hashes."""


class Comparing(NamedTuple):
    """What a task needs to compare: the first ``new_files`` of the numbers of files are those of new ones."""

    lake: Lake
    table: str
    new_files: int
    neighbour_days: int


def compare_suspects(suspects: Sequence[Suspect], comparing: Comparing, runner: TaskRunner) -> Iterator[Comparison]:
    """Compare suspects by their ids; each event is in one of the results."""
    if not any(isinstance(each, SuspectFile) for each in suspects):
        return
    read, combine = partial(_read_group, comparing), partial(_compare_part, comparing)
    for message in runner.exchange(suspects, _seconds, read, combine):
        yield msgspec.msgpack.decode(message, type=Comparison)


def _seconds(suspect: Suspect) -> float:
    return suspect.rows * _SECONDS_PER_ROW if isinstance(suspect, SuspectFile) else _SECONDS_PER_ROW


def _read_group(comparing: Comparing, parts: int, suspects: Sequence[Suspect]) -> Iterator[tuple[int, bytes]]:
    """Run in tasks: read suspects; yields them as tables (Arrow's stream format), by the part of their hash."""
    files = [each for each in suspects if isinstance(each, SuspectFile)]
    tables = map_side_by_side(partial(_read_file, comparing), files)
    for rows in (*tables, _link_rows(each for each in suspects if isinstance(each, AppLink))):
        of_part = rows["hash"].to_numpy() % np.uint64(parts)
        for part in np.unique(of_part).tolist():
            yield part, to_ipc(rows.filter(pa.array(of_part == part)))


def _read_file(comparing: Comparing, file: SuspectFile) -> pa.Table:
    """The suspects of a file in the columns that are compared; only row groups that hold one are read."""
    mask = np.zeros(file.rows, bool)
    mask[np.frombuffer(file.indexes, "<u4")] = True
    stored = DataFile(file.path, {}, 0, file.rows)
    parts = [_SCHEMA.empty_table()]
    for first, rows in iter_row_groups(comparing.lake, TABLES[comparing.table], stored, _DETAILS, mask, lineage=True):
        indexes = np.flatnonzero(mask[first : first + len(rows)])
        found = rows.take(pa.array(indexes))
        lineage = read_lineage(found)
        parts.append(
            _conform(
                found,
                app_id=_repeat(file.app_id, len(found)),
                hash=pa.array(stable_hashes(found["event_id"])),
                ingest_time_msec=pc.fill_null(found["ingest_time_msec"], 0),
                request=lineage.request_ids,
                rank=_repeat(file.rank, len(found)),
                source_position=lineage.source_positions,
                file=_repeat(file.number, len(found)),
                row=pa.array(first + indexes),
            )
        )
    return pa.concat_tables(parts)


def _conform(rows: pa.Table, **columns: pa.Array | pa.ChunkedArray) -> pa.Table:
    return pa.table([columns[name] if name in columns else rows[name] for name in _SCHEMA.names], _SCHEMA.names).cast(_SCHEMA)


def _repeat(value: str | int, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)


def _link_rows(links: Iterable[AppLink]) -> pa.Table:
    """Duplicates that are not stored, as rows without an id."""
    common = {"ingest_time_msec": 0, "request": "", "rank": 0, "source_position": "", "file": _LEFT_OUT, "row": 0}
    rows = [
        {"app_id": link.app_id, "hash": link.hash, "event_time_msec": (link.day - _EPOCH).days * DAY_MS, **common}
        for link in links
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _compare_part(comparing: Comparing, _: int, messages: list[bytes]) -> bytes:
    """Run in tasks: compare all suspects of a part."""
    rows = pa.concat_tables([_SCHEMA.empty_table(), *map(from_ipc, messages)])
    return msgspec.msgpack.encode(compare(rows, comparing.new_files, comparing.neighbour_days))


def compare(rows: pa.Table, new_files: int, neighbour_days: int) -> Comparison:
    """Find the duplicates among all suspects of some events: of each chain, all rows but the first."""
    # 1. Sort all rows by event and precedence.
    rows = _with_ids_of_links(rows).sort_by([(name, "ascending") for name in (*_EVENT, *_PRECEDENCE)])
    if not len(rows):
        return Comparison()
    # 2. Number the chains: one ends where the event changes, or where the next row is too many days later.
    days = rows["event_time_msec"].to_numpy() // DAY_MS
    begins = np.ones(len(rows), bool)
    begins[1:] = ~_is_same_event(rows) | (np.diff(days) > neighbour_days)
    chains = np.cumsum(begins) - 1
    # 3. Keep the first stored or new row of each chain.
    files = rows["file"].to_numpy()
    real = np.flatnonzero(files != _LEFT_OUT)
    _, first = np.unique(chains[real], return_index=True)
    winners = np.full(len(begins), -1)  # of each chain, -1 where no row is stored or new
    winners[chains[real[first]]] = real[first]
    lost = real[winners[chains[real]] != real]
    found = Comparison(_indexes_by_file(files[lost], rows["row"].to_numpy()[lost]))
    found.unpaired_files = _unpaired_files(rows["hash"].to_numpy()[real], files[real])
    # 4. Collect the users of stored rows that are now duplicates, and of the rows that replace them.
    replaced = lost[files[lost] >= new_files]
    found.users = _users(rows.take(pa.array(np.concatenate([replaced, winners[chains[replaced]]]))))
    # 5. Remember the duplicates on whose day no row is stored.
    apart = lost[days[lost] != days[winners[chains[lost]]]]
    found.left_out = _left_out(rows.take(pa.array(apart)), days[apart])
    return found


def _with_ids_of_links(rows: pa.Table) -> pa.Table:
    """The rows, where those of links become one for each event that has the hash of the link."""
    is_link = pc.equal(rows["file"], _LEFT_OUT)
    links, rows = rows.filter(is_link), rows.filter(pc.invert(is_link))
    if not len(links):
        return rows
    events = rows.select((*_EVENT, "hash")).group_by([*_EVENT, "hash"], use_threads=False).aggregate([])
    joined = links.drop_columns(["event_id"]).join(events, ["app_id", "hash"], join_type="inner", use_threads=False)
    return pa.concat_tables([rows, joined.select(_SCHEMA.names).cast(_SCHEMA)])


def _is_same_event(rows: pa.Table) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Per row but the first, whether it is of the same event as the row before."""
    app, event = (pc.equal(rows[name][1:], rows[name][:-1]).to_numpy() for name in _EVENT)
    return np.asarray(app & event)


def _indexes_by_file(files: np.ndarray[Any, Any], indexes: np.ndarray[Any, Any]) -> dict[int, bytes]:
    return {int(file): indexes[files == file].astype("<u4").tobytes() for file in np.unique(files)}


def _unpaired_files(hashes: IdHashes, files: np.ndarray[Any, Any]) -> list[int]:
    """The files of the hashes that occur once."""
    _, first, counts = np.unique(hashes, return_index=True, return_counts=True)
    return sorted(set(files[first[counts == 1]].tolist()))


def _users(rows: pa.Table) -> list[tuple[str, str]]:
    users = zip(rows["app_id"].to_pylist(), rows["user_pseudo_id"].to_pylist(), strict=True)
    return sorted({(app_id, user) for app_id, user in users if user is not None})


def _left_out(rows: pa.Table, days: Iterable[Any]) -> list[LeftOutDuplicate]:
    found = zip(days, rows["app_id"].to_pylist(), rows["hash"].to_pylist(), strict=True)
    return [LeftOutDuplicate(_EPOCH + timedelta(days=int(day)), app_id, hashed) for day, app_id, hashed in found]
