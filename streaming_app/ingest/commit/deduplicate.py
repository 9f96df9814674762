"""Finds the duplicates of a batch's events before the commit, so that each event is stored exactly once.

An event is ``(app_id, event_id)``. Rows of one event whose days are no further apart than ``dedupe.neighbour_days`` are
duplicates, and so is each that is linked to them by others: a chain of neighbouring days. Of a chain the row with the smallest
(event time, ingest time, request id) stays, so that any split and order of the input ends in the same rows; of one and the same
request read twice, a committed row stays, else the first by file and line. Rows further apart are events of their own.

Rows are compared within the batch, with the table's files of the neighbouring days, and with the days of duplicates that were
left out before (:mod:`.duplicate_days`), which link a new row to an older one.

Two steps: suspects are found by hashes (:mod:`.suspects`), then compared by their ids (:mod:`.compare`). Each runs in Spark's
tasks where it is large. The driver handles names of files and, of duplicates, indexes of rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial

import msgspec
import numpy as np
import pyarrow as pa

from streaming_app.ingest.commit.compare import Comparison, SuspectFile, compare, read_suspects
from streaming_app.ingest.commit.duplicate_days import DuplicateDays, LeftOut
from streaming_app.ingest.commit.suspects import IdFile, Link, Search, Suspects, days_around, search_in_task
from streaming_app.ingest.commit.task_runner import SMALL_SECONDS, TaskRunner
from streaming_app.lake.files import DataFile
from streaming_app.lake.id_index import HashRange, IdIndex, RowIndexes
from streaming_app.lake.lake import Lake
from streaming_app.lake.rows import iter_row_groups
from streaming_app.model.lineage import source_positions
from streaming_app.model.tables import TABLES, Table

_indexed: set[str] = set()
"""Data files, by URI, whose index files this process has seen or made."""

RANGE_HASHES = 16_000_000
"""Hashes of an app that are searched in one range."""
_SECONDS_TO_INDEX = 7e-7
"""CPU-seconds to read, hash and sort an id."""


@dataclass
class DuplicateRows:
    """Rows of ``file`` that are removed as duplicates."""

    file: DataFile
    rows: RowIndexes
    """Their indexes in the file, in ascending order."""

    @property
    def mask(self) -> pa.Array:
        """Per row of the file, whether it is one of them."""
        mask = np.zeros(self.file.rows, bool)
        mask[self.rows] = True
        return pa.array(mask)


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
    runner: TaskRunner | None = None,
) -> DuplicateReport:
    """Compare the rows of all apps; ``stored`` are all committed files, of which only those of the affected days are searched.

    New and stored files are both in the table's directory. Where the same request was read twice, the stored row stays, or
    with ``prefer_new`` the new one.
    """
    return _Deduplication(lake, table, new, stored, left_out, neighbour_days, prefer_new, runner or TaskRunner()).run()


@dataclass
class _Deduplication:
    """One search for duplicates; files are numbered, the new ones first."""

    lake: Lake
    table: Table
    new: Sequence[DataFile]
    stored: Sequence[DataFile]
    left_out: DuplicateDays
    neighbour_days: int
    prefer_new: bool
    runner: TaskRunner

    def __post_init__(self) -> None:
        self.files = [*self.new, *self.stored]
        self.numbers = _by_app_and_day(self.files, range(len(self.new)))
        self.stored_numbers = _by_app_and_day(self.files, range(len(self.new), len(self.files)))

    def run(self) -> DuplicateReport:
        # 1. Plan searches of the affected days: those of the new events and their neighbours.
        searches = [search for app_id in sorted(self.numbers) for search in self._plan(app_id)]
        # 2. Make the index files that are missing.
        self._make_missing_indexes(searches)
        # 3. Find suspects by their hashes. Earlier duplicates may link new events to further days: repeat with these.
        rows: defaultdict[int, list[bytes]] = defaultdict(list)
        links: list[tuple[str, Link]] = []
        while searches:
            found = self._search(searches)
            searches = [self._with_days(each, found[each.app_id, each.part].missing_days) for each in searches]
            searches = [each for each in searches if found[each.app_id, each.part].missing_days]
            for each in found.values():
                links += [(each.app_id, link) for link in each.links]
                for number, indexes in each.rows.items():
                    rows[number].append(indexes)
        # 4. Compare them by their ids.
        return self._report(self._compare(rows, links)) if rows else DuplicateReport()

    def _plan(self, app_id: str) -> Iterator[Search]:
        by_day = self.numbers[app_id]
        days = frozenset[date]().union(*(days_around(day, self.neighbour_days) for day in by_day))
        new = self._id_files(number for numbers in by_day.values() for number in numbers)
        stored = self._stored_files(app_id, days)
        count = -(-sum(file.rows for file in (*new, *stored)) // RANGE_HASHES) or 1
        return (Search(app_id, HashRange(number, count), new, stored, days) for number in range(count))

    def _with_days(self, search: Search, more: frozenset[date]) -> Search:
        days = search.days | more
        return search._replace(stored=self._stored_files(search.app_id, days), days=days)

    def _stored_files(self, app_id: str, days: Iterable[date]) -> list[IdFile]:
        by_day = self.stored_numbers.get(app_id, {})
        return self._id_files(number for day in sorted(days) for number in by_day.get(day, ()))

    def _id_files(self, numbers: Iterable[int]) -> list[IdFile]:
        return [IdFile(number, self.files[number].path, self.files[number].rows) for number in numbers]

    def _make_missing_indexes(self, searches: Iterable[Search]) -> None:
        """Make them in tasks where that is much work; a few are made by the search itself."""
        root = self.lake.uri(self.table)
        stored = {(file.path, file.rows) for search in searches for file in search.stored}
        unknown = sorted(file for file in stored if f"{root}/{file[0]}" not in _indexed)
        if sum(rows for _, rows in unknown) * _SECONDS_TO_INDEX <= SMALL_SECONDS:
            return
        missing = IdIndex(root, self.lake.storage).find_missing(unknown)
        work = partial(_make_indexes, self.lake.for_workers, self.table.name)
        list(self.runner.run(missing, lambda file: file[1] * _SECONDS_TO_INDEX, work))
        _indexed.update(f"{root}/{path}" for path, _ in unknown)

    def _search(self, searches: list[Search]) -> dict[tuple[str, HashRange], Suspects]:
        work = partial(search_in_task, self.lake.for_workers, self.table.name, self.left_out, self.neighbour_days)
        messages = self.runner.run(searches, lambda search: search.seconds, work)
        found = (msgspec.msgpack.decode(each, type=Suspects) for each in messages)
        return {(each.app_id, each.part): each for each in found}

    def _compare(self, rows: dict[int, list[bytes]], links: list[tuple[str, Link]]) -> Iterable[Comparison]:
        files = [self._suspect_file(number, b"".join(parts)) for number, parts in sorted(rows.items())]
        suspects = pa.concat_tables([part for file in files for part in read_suspects(self.lake, self.table, file)])
        return [compare(suspects, links, frozenset(range(len(self.new))), self.neighbour_days)]

    def _suspect_file(self, number: int, indexes: bytes) -> SuspectFile:
        file, is_new = self.files[number], number < len(self.new)
        return SuspectFile(number, file.app_id, file.path, file.rows, int(is_new != self.prefer_new), indexes)

    def _report(self, comparisons: Iterable[Comparison]) -> DuplicateReport:
        report = DuplicateReport()
        lost: defaultdict[int, list[bytes]] = defaultdict(list)
        for each in comparisons:
            report.changed_users.update(each.users)
            for number, indexes in each.lost.items():
                lost[number].append(indexes)
            for day, app_id, hashed in each.left_out:
                report.left_out.setdefault(day, {}).setdefault(app_id, []).append(hashed)
        for number, parts in sorted(lost.items()):
            duplicates = DuplicateRows(self.files[number], np.sort(np.frombuffer(b"".join(parts), "<u4")))
            (report.new if number < len(self.new) else report.stored).append(duplicates)
        return report


def _by_app_and_day(files: Sequence[DataFile], numbers: Iterable[int]) -> dict[str, dict[date, list[int]]]:
    """Numbers of files by app and day."""
    found: dict[str, dict[date, list[int]]] = {}
    for number in numbers:
        found.setdefault(files[number].app_id, {}).setdefault(files[number].day, []).append(number)
    return found


def _make_indexes(lake: Lake, table: str, files: Iterable[tuple[str, int]]) -> Iterator[bytes]:
    """Run in tasks: make the index files of some data files, of (path, rows); yields nothing."""
    index = IdIndex(lake.uri(TABLES[table]), lake.storage)
    for path, _ in files:
        index.make(path)
    yield from ()


def read_keys(lake: Lake, table: Table, duplicates: DuplicateRows) -> pa.Table:
    """The columns event_id, user_pseudo_id and source_position (raw file and line) of duplicates."""
    columns = ("event_id", "user_pseudo_id", "process_info")
    mask = duplicates.mask.to_numpy(zero_copy_only=False)
    parts = [
        rows.filter(pa.array(mask[first : first + len(rows)]))
        for first, rows in iter_row_groups(lake, table, duplicates.file, columns, mask)
    ]
    rows = pa.concat_tables([pa.table({name: pa.array([], pa.string()) for name in columns}), *parts])
    return rows.append_column("source_position", source_positions(rows["process_info"])).drop_columns(["process_info"])
