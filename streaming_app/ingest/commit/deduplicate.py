"""Finds the duplicates of a batch's events before the commit, so that each event is stored exactly once.

An event is ``(app_id, event_id)``. Rows of one event whose days are no further apart than ``dedupe.neighbour_days`` are
duplicates, and so is each that is linked to them by others: a chain of neighbouring days. Of a chain the row with the smallest
(event time, ingest time, request id) stays, so that any split and order of the input ends in the same rows; of one and the same
request read twice, a committed row stays, else the first by file and line. Rows further apart are events of their own.

Rows are compared within the batch, with the table's files of the neighbouring days, and with the days of duplicates that were
left out before (:mod:`.duplicate_days`), which link a new row to an older one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.commit.duplicate_days import DuplicateDays, LeftOut
from streaming_app.ingest.commit.hashes import duplicates_in_sorted, isin_sorted
from streaming_app.lake.duckdb import query
from streaming_app.lake.files import DataFile
from streaming_app.lake.hashes import IdHashes, stable_hashes
from streaming_app.lake.lake import Lake
from streaming_app.lake.rows import RowMask, iter_row_groups, read_columns
from streaming_app.model.lineage import read_lineage
from streaming_app.model.tables import Table
from streaming_app.model.times import DAY_MS

_ORDER = ("event_time_msec", "ingest_time_msec", "request", "preferred_first", "source_position")
_DETAILS = ["event_id", "event_time_msec", "ingest_time_msec", "user_pseudo_id"]
_LEFT_OUT = -1
"""File number of a duplicate that is not stored in any file."""


@dataclass
class DuplicateRows:
    """Rows of ``file`` that are removed as duplicates."""

    file: DataFile
    rows: pa.Table
    """Columns include event_id and source_position (raw file and line), which together identify a row, and row, its index."""


@dataclass
class DuplicateReport:
    """The duplicates by file; ``changed_users`` have a stored row that a new one replaces; ``left_out`` is kept for later
    batches."""

    new: list[DuplicateRows] = field(default_factory=list)
    stored: list[DuplicateRows] = field(default_factory=list)
    changed_users: set[tuple[str, str]] = field(default_factory=set)
    left_out: LeftOut = field(default_factory=dict)


def find_duplicates(
    lake: Lake,
    table: Table,
    new: Sequence[DataFile],
    stored: Sequence[DataFile],
    left_out: DuplicateDays,
    neighbour_days: int,
    *,
    prefer_new: bool = False,
) -> DuplicateReport:
    """Compare the rows of all apps; ``stored`` are all committed files, of which only those of the affected days are read.

    New and stored files are both in the table's directory. Where the same request was read twice, the stored row stays, or
    with ``prefer_new`` the new one.
    """
    report = DuplicateReport()
    for app_id in sorted({file.app_id for file in new}):
        by_day: dict[date, list[DataFile]] = {}
        for file in stored:
            if file.app_id == app_id:
                by_day.setdefault(file.day, []).append(file)
        own = [file for file in new if file.app_id == app_id]
        _AppFiles(lake, table, own, by_day, left_out, neighbour_days, prefer_new=prefer_new).compare(report)
    return report


class _Candidate(NamedTuple):
    """A file with rows whose event id may occur more than once: those where ``mask`` is true."""

    file: DataFile
    is_new: bool
    mask: RowMask


class _AppFiles:
    """The new files of an app, and its stored files by day."""

    def __init__(
        self,
        lake: Lake,
        table: Table,
        new: list[DataFile],
        stored: dict[date, list[DataFile]],
        left_out: DuplicateDays,
        neighbour_days: int,
        *,
        prefer_new: bool,
    ) -> None:
        self._lake, self._table, self._new, self._stored = lake, table, new, stored
        self._left_out, self._neighbour_days, self._prefer_new = left_out, neighbour_days, prefer_new
        self._app_id = new[0].app_id

    def compare(self, report: DuplicateReport) -> None:
        """Add the app's duplicates to the report."""
        # 1. Find the affected days: those of the new events, their neighbours, and those linked to them by earlier duplicates.
        days = set().union(*(_around(file.day, self._neighbour_days) for file in self._new))
        linked, days = self._follow_links(days)
        # 2. Find candidates: rows whose id may occur more than once, by hashes of 8 bytes an id.
        candidates = self._find_candidates([file for day in sorted(days) for file in self._stored.get(day, ())])
        # 3. Compare the candidates by their ids.
        if candidates:
            rows = pa.concat_tables([linked, *self._read_candidates(candidates)])
            _compare(candidates, rows, self._neighbour_days, report)

    def _follow_links(self, days: set[date]) -> tuple[pa.Table, set[date]]:
        """Duplicates of the new events that earlier batches left out; and ``days`` with all days that these are linked to."""
        links = [_link_rows(pa.array([], pa.string()), date(1970, 1, 1))]
        ids: pa.ChunkedArray | None = None
        seen: set[date] = set()
        while unseen := days - seen:
            seen |= unseen
            for day in sorted(unseen):
                known = self._left_out.on(day, self._app_id)
                if not len(known):
                    continue
                if ids is None:
                    chunks = [chunk for file in self._new for chunk in self._read_ids(file).chunks]
                    ids = pa.chunked_array(chunks, pa.string())
                    hashes = stable_hashes(ids)
                found = pc.unique(ids.filter(pa.array(isin_sorted(hashes, known))))
                if len(found):
                    links.append(_link_rows(found, day))
                    days = days | _around(day, self._neighbour_days)
        return pa.concat_tables(links), days

    def _find_candidates(self, stored: list[DataFile]) -> list[_Candidate]:
        new = [(file, self._read_hashes(file)) for file in self._new]
        known = np.sort(np.concatenate([hashes for _, hashes in new]))
        repeated = [duplicates_in_sorted(known)]
        found = []
        for file in stored:
            hashes = self._read_hashes(file)
            mask = isin_sorted(hashes, known)
            if mask.any():
                repeated.append(hashes[mask])
                found.append(_Candidate(file, False, mask))
        again = np.unique(np.concatenate(repeated))
        of_batch = [_Candidate(file, True, isin_sorted(hashes, again)) for file, hashes in new]
        return [each for each in of_batch if each.mask.any()] + found

    def _read_ids(self, file: DataFile) -> pa.ChunkedArray:
        return read_columns(f"{self._lake.uri(self._table)}/{file.path}", ["event_id"], self._lake.storage)["event_id"]

    def _read_hashes(self, file: DataFile) -> IdHashes:
        return _hashes(self._read_ids(file))

    def _read_candidates(self, candidates: list[_Candidate]) -> Iterator[pa.Table]:
        """Rows in the columns that are compared; ``file`` is the candidate's number."""
        for number, candidate in enumerate(candidates):
            rank = int(candidate.is_new != self._prefer_new)
            for rows in self._read_rows(candidate):
                ingested, lineage = pc.fill_null(rows["ingest_time_msec"], 0), read_lineage(rows)
                yield (
                    rows.set_column(rows.column_names.index("ingest_time_msec"), "ingest_time_msec", ingested)
                    .select([*_DETAILS, "row"])
                    .append_column("source_position", lineage.source_positions)
                    .append_column("request", lineage.request_ids)
                    .append_column("file", pa.repeat(pa.scalar(number, pa.int64()), rows.num_rows))
                    .append_column("preferred_first", pa.repeat(pa.scalar(rank, pa.int64()), rows.num_rows))
                    .combine_chunks()
                )

    def _read_rows(self, candidate: _Candidate) -> Iterator[pa.Table]:
        """The rows of a candidate with their index; only row groups that hold one are read."""
        for first, rows in iter_row_groups(self._lake, self._table, candidate.file, _DETAILS, candidate.mask, lineage=True):
            mask = candidate.mask[first : first + len(rows)]
            yield rows.append_column("row", pa.array(np.arange(first, first + len(rows)))).filter(pa.array(mask))


def _around(day: date, days: int) -> set[date]:
    return {day + timedelta(days=shift) for shift in range(-days, days + 1)}


def _hashes(event_ids: pa.ChunkedArray) -> IdHashes:
    ids = pa.table({"event_id": event_ids})
    return np.asarray(query("SELECT hash(event_id) AS hash FROM ids", ids=ids)["hash"].to_numpy(), np.uint64)


def _link_rows(ids: pa.Array, day: date) -> pa.Table:
    """Duplicates of a day that are not stored, in the columns that are compared."""
    count = len(ids)
    epoch_ms = (day - date(1970, 1, 1)).days * DAY_MS
    texts = pa.repeat(pa.scalar("", pa.string()), count)
    zeros = pa.repeat(pa.scalar(0, pa.int64()), count)
    return pa.table(
        {
            "event_id": ids,
            "event_time_msec": pa.repeat(pa.scalar(epoch_ms, pa.int64()), count),
            "ingest_time_msec": zeros,
            "user_pseudo_id": texts,
            "row": zeros,
            "source_position": texts,
            "request": texts,
            "file": pa.repeat(pa.scalar(_LEFT_OUT, pa.int64()), count),
            "preferred_first": zeros,
        }
    )


def _compare(candidates: list[_Candidate], rows: pa.Table, neighbour_days: int, report: DuplicateReport) -> None:
    """Find the chains of each event; of each chain, all rows but the first are duplicates."""
    app_id = candidates[0].file.app_id
    # 1. Sort all rows by precedence.
    rows = rows.sort_by([("event_id", "ascending"), *((name, "ascending") for name in _ORDER)])
    # 2. Number the chains: one ends where the id changes, or where the next row is too many days later.
    days = rows["event_time_msec"].to_numpy() // DAY_MS
    same_id = pc.equal(rows["event_id"][1:], rows["event_id"][:-1]).to_numpy()
    begins = np.concatenate([[True], ~same_id | (np.diff(days) > neighbour_days)])
    chains = np.cumsum(begins) - 1
    # 3. Keep the first stored or new row of each chain.
    numbers = rows["file"].to_numpy()
    real = np.flatnonzero(numbers != _LEFT_OUT)
    _, first = np.unique(chains[real], return_index=True)
    winners = np.full(len(begins), -1)  # of each chain, -1 where no row is stored or new
    winners[chains[real[first]]] = real[first]
    lost = real[winners[chains[real]] != real]
    for number in np.unique(numbers[lost]):
        duplicates = DuplicateRows(candidates[number].file, rows.take(pa.array(lost[numbers[lost] == number])))
        (report.new if candidates[number].is_new else report.stored).append(duplicates)
    # 4. Collect the users of stored rows that are now duplicates, and of the rows that replace them.
    replaced = [row for row in lost if not candidates[numbers[row]].is_new]
    for chosen in (replaced, winners[chains[replaced]]):
        report.changed_users |= _users(app_id, rows.take(pa.array(chosen, pa.int64())))
    # 5. Remember the duplicates on whose day no row is stored.
    apart = lost[days[lost] != days[winners[chains[lost]]]]
    hashes = stable_hashes(rows["event_id"].take(pa.array(apart))).tolist() if len(apart) else []
    for row, hashed in zip(apart, hashes, strict=True):
        day = date(1970, 1, 1) + timedelta(days=int(days[row]))
        report.left_out.setdefault(day, {}).setdefault(app_id, []).append(hashed)


def _users(app_id: str, rows: pa.Table) -> set[tuple[str, str]]:
    return {(app_id, user) for user in rows["user_pseudo_id"].to_pylist() if user is not None}
