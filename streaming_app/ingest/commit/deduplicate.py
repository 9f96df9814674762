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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from streaming_app.ingest.commit.compare import AppLink, Comparing, Comparison, SuspectFile, compare_suspects
from streaming_app.ingest.commit.duplicate_days import DuplicateDays, LeftOut
from streaming_app.ingest.commit.suspects import IdFile, Search, Suspects, days_around, search_in_task
from streaming_app.ingest.commit.task_runner import SMALL_SECONDS, TaskRunner
from streaming_app.lake.files import DataFile
from streaming_app.lake.id_index import HashRange, IdIndex, RowIndexes, has_index
from streaming_app.lake.lake import Lake
from streaming_app.lake.rows import iter_row_groups
from streaming_app.model.lineage import read_lineage
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


StoredFiles = Callable[[Collection[str], Collection[date]], Iterable[DataFile]]
"""Lists the committed files of some apps and days, and maybe others."""
RangeKey = tuple[str, HashRange]
"""App and range of hashes."""


class Rules(NamedTuple):
    """How far the days of duplicates may be apart; and, of rows of one and the same request, which stays: the stored one, or with
    ``prefer_new`` the new one."""

    neighbour_days: int
    prefer_new: bool = False


def find_duplicates(
    lake: Lake,
    table: Table,
    new: Sequence[DataFile],
    stored: StoredFiles,
    left_out: DuplicateDays,
    rules: Rules,
    runner: TaskRunner | None = None,
) -> DuplicateReport:
    """Compare the rows of all apps; of the committed files only those of the affected days are searched.

    New and stored files are both in the table's directory. Large steps run in the tasks of ``runner``.
    """
    return _Deduplication(lake, table, new, stored, left_out, rules).run(runner or TaskRunner())


class _Deduplication:
    """One search for duplicates; files are numbered, the new ones first."""

    def __init__(
        self, lake: Lake, table: Table, new: Sequence[DataFile], stored: StoredFiles, left_out: DuplicateDays, rules: Rules
    ) -> None:
        self._lake, self._table, self._stored, self._left_out, self._rules = lake, table, stored, left_out, rules
        self._files = list(new)
        self._new_count = len(self._files)
        self._stored_numbers: dict[tuple[str, date], list[int]] = {}

    def run(self, runner: TaskRunner) -> DuplicateReport:
        # 1. Plan searches of the affected days: those of the new events and their neighbours.
        searches = self._plan()
        # 2. Make the index files that are missing.
        self._make_missing_indexes(searches, runner)
        # 3. Find suspects and compare them.
        found = list(self._compare(searches, runner))
        # 4. Where index files named rows with other ids than they should, make these again, and repeat.
        if damaged := {number for each in found for number in each.unpaired_files}:
            self._make_indexes([(self._files[number].path, self._files[number].rows) for number in damaged], runner)
            found = list(self._compare(searches, runner))
        return self._report(found)

    def _compare(self, searches: list[Search], runner: TaskRunner) -> Iterator[Comparison]:
        rows: defaultdict[int, list[bytes]] = defaultdict(list)
        links: list[AppLink] = []
        # 1. Find suspects by their hashes. Earlier duplicates may link new events to further days: repeat with these.
        while searches:
            found = self._search(searches, runner)
            for each in found.values():
                links += [AppLink(each.app_id, *link) for link in each.links]
                for number, indexes in each.rows.items():
                    rows[number].append(indexes)
            searches = self._with_missing_days(searches, found)
        # 2. Compare them by their ids.
        suspects = [self._suspect_file(number, b"".join(parts)) for number, parts in sorted(rows.items())]
        comparing = Comparing(self._lake.for_workers, self._table.name, self._new_count, self._rules.neighbour_days)
        return compare_suspects([*suspects, *links], comparing, runner)

    def _plan(self) -> list[Search]:
        by_app: dict[str, list[IdFile]] = {}
        days: dict[str, set[date]] = {}
        for number, file in enumerate(self._files):
            by_app.setdefault(file.app_id, []).append(IdFile(number, file.path, file.rows))
            days.setdefault(file.app_id, set()).update(days_around(file.day, self._rules.neighbour_days))
        self._find_stored(days)
        whole = (Search(app_id, HashRange(), new, [], days[app_id]) for app_id, new in sorted(by_app.items()))
        return [search for each in whole for search in self._split(each)]

    def _split(self, search: Search) -> Iterator[Search]:
        stored = self._stored_files(search.app_id, search.days)
        count = -(-sum(file.rows for file in (*search.new, *stored)) // RANGE_HASHES) or 1
        return (search._replace(part=HashRange(number, count), stored=stored) for number in range(count))

    def _with_missing_days(self, searches: Iterable[Search], found: Mapping[RangeKey, Suspects]) -> list[Search]:
        """The searches that need the stored files of more days, with these."""
        missing = {(each.app_id, each.part): found[each.app_id, each.part].missing_days for each in searches}
        by_app: dict[str, set[date]] = {}
        for (app_id, _), days in missing.items():
            by_app.setdefault(app_id, set()).update(days)
        self._find_stored(by_app)
        again = []
        for each in searches:
            if more := missing[each.app_id, each.part]:
                all_days = each.days | more
                again.append(each._replace(days=all_days, stored=self._stored_files(each.app_id, all_days)))
        return again

    def _find_stored(self, days: Mapping[str, set[date]]) -> None:
        """Number the stored files of some days, by app, unless they are known."""
        wanted = {(app_id, day) for app_id, of_app in days.items() for day in of_app if (app_id, day) not in self._stored_numbers}
        if not wanted:
            return
        self._stored_numbers |= {each: [] for each in wanted}
        for file in self._stored({app_id for app_id, _ in wanted}, {day for _, day in wanted}):
            if (file.app_id, file.day) in wanted:
                self._stored_numbers[file.app_id, file.day].append(len(self._files))
                self._files.append(file)

    def _stored_files(self, app_id: str, days: Iterable[date]) -> list[IdFile]:
        numbers = [number for day in sorted(days) for number in self._stored_numbers[app_id, day]]
        return [IdFile(number, self._files[number].path, self._files[number].rows) for number in numbers]

    def _make_missing_indexes(self, searches: Iterable[Search], runner: TaskRunner) -> None:
        """Make them in tasks where that is much work; a few are made by the search itself."""
        root = self._lake.uri(self._table)
        stored = {(file.path, file.rows) for search in searches for file in search.stored}
        unknown = sorted(file for file in stored if f"{root}/{file[0]}" not in _indexed)
        if sum(rows for _, rows in unknown) * _SECONDS_TO_INDEX <= SMALL_SECONDS:
            return
        self._make_indexes(IdIndex(root, self._lake.storage).find_missing(unknown), runner)
        _indexed.update(f"{root}/{path}" for path, _ in unknown)

    def _make_indexes(self, files: Sequence[tuple[str, int]], runner: TaskRunner) -> None:
        work = partial(_make_indexes, self._lake.for_workers, self._table.name)
        list(runner.run(files, lambda file: file[1] * _SECONDS_TO_INDEX, work))

    def _search(self, searches: list[Search], runner: TaskRunner) -> dict[RangeKey, Suspects]:
        lake, name = self._lake.for_workers, self._table.name
        work = partial(search_in_task, lake, name, self._left_out, self._rules.neighbour_days)
        messages = runner.run(searches, lambda search: search.seconds, work)
        found = (msgspec.msgpack.decode(each, type=Suspects) for each in messages)
        return {(each.app_id, each.part): each for each in found}

    def _suspect_file(self, number: int, indexes: bytes) -> SuspectFile:
        file, is_new = self._files[number], number < self._new_count
        return SuspectFile(number, file.app_id, file.path, file.rows, int(is_new != self._rules.prefer_new), indexes)

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
            duplicates = DuplicateRows(self._files[number], np.sort(np.frombuffer(b"".join(parts), "<u4")))
            (report.new if number < self._new_count else report.stored).append(duplicates)
        return report


def _make_indexes(lake: Lake, table: str, files: Iterable[tuple[str, int]]) -> Iterator[bytes]:
    """Run in tasks: make the index files of some data files, of (path, rows); yields nothing."""
    index = IdIndex(lake.uri(TABLES[table]), lake.storage)
    for path, rows in files:
        if has_index(rows):
            index.make(path)
    yield from ()


def read_keys(lake: Lake, table: Table, duplicates: DuplicateRows, more: Sequence[str] = ()) -> pa.Table:
    """The columns event_id and source_position (raw file and line) of duplicates, and ``more`` of their text columns."""
    columns = ("event_id", *more)
    mask = duplicates.mask.to_numpy(zero_copy_only=False)
    parts = [pa.table({name: pa.array([], pa.string()) for name in (*columns, "source_position")})]
    for first, group in iter_row_groups(lake, table, duplicates.file, columns, mask, lineage=True):
        rows = group.filter(pa.array(mask[first : first + len(group)]))
        parts.append(rows.select(columns).append_column("source_position", read_lineage(rows).source_positions))
    return pa.concat_tables(parts)
