"""Changes of a batch to the tables with unique rows: new files, and files rewritten without duplicates, in tasks where that is
much work. Nothing is committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.deduplicate import DuplicateReport, DuplicateRows, Rules, find_duplicates, read_keys
from streaming_app.ingest.commit.duplicate_days import DuplicateDays
from streaming_app.ingest.commit.task_runner import TaskRunner
from streaming_app.ingest.task_report import IngestReport
from streaming_app.lake.commit import TableChange
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rewrite import without_rows
from streaming_app.lake.rows import read_with_lineage
from streaming_app.model.lineage import read_lineage
from streaming_app.model.tables import EVENT, ITEM, TABLES, Table

if TYPE_CHECKING:
    from deltalake import DeltaTable

_SECONDS_TO_REWRITE = 4e-6
"""CPU-seconds to write a row of ``event``, the widest table, again."""
_SECONDS_TO_MATCH = 1e-6
"""CPU-seconds to read and compare the key of an item or a duplicate."""
_ITEMS_AT_ONCE = 1_000_000
"""Items of a partition that are searched together: the keys of its duplicates are read once for these."""


@dataclass(frozen=True)
class DeduplicatedChange:
    """The changes of a batch to a table with unique rows, and the duplicates that are left out.

    ``target`` is the table in the version in which duplicates were searched for.
    """

    table: Table
    target: DeltaTable
    change: TableChange
    duplicates: DuplicateReport

    @property
    def replaced(self) -> int:
        """Stored rows that are replaced by new ones."""
        return sum(len(each.rows) for each in self.duplicates.stored)

    @property
    def written(self) -> int:
        """Number of rows by which the table grows: a new row that replaces a stored one does not count."""
        return sum(file.rows for file in self.change.added) - self.replaced

    @property
    def duplicate(self) -> int:
        """Duplicates among new and stored rows."""
        return sum(len(each.rows) for each in self.duplicates.new) + self.replaced


class Rewritten(msgspec.Struct):
    """The files that replace a data file some of whose rows were removed; none, if all were."""

    path: str
    files: list[DataFile]


def deduplicate(table: Table, batch: Batch, report: IngestReport, lake: Lake, runner: TaskRunner) -> DeduplicatedChange:
    """Find the duplicates of a batch's rows, and rewrite the files that hold one."""
    target = lake.open(table)
    new = report.of(table.name)
    left_out = DuplicateDays(batch.config, batch.storage, table)
    rules = Rules(batch.config.dedupe.neighbour_days)
    found = find_duplicates(lake, table, new, partial(live_files, target), left_out, rules, runner)
    work = partial(_rewrite_in_task, lake.for_workers, table.name)
    rewritten = runner.run([*found.new, *found.stored], lambda each: each.file.rows * _SECONDS_TO_REWRITE, work)
    return DeduplicatedChange(table, target, _table_change(new, [each.file for each in found.stored], rewritten), found)


def _rewrite_in_task(lake: Lake, table: str, duplicates: Iterable[DuplicateRows]) -> Iterator[bytes]:
    """Write files again without their duplicates; yields a :class:`Rewritten` each."""
    for each in duplicates:
        yield msgspec.msgpack.encode(Rewritten(each.file.path, without_rows(lake, TABLES[table], each.file, each.mask)))


def _table_change(new: Sequence[DataFile], stored: Sequence[DataFile], messages: Iterable[bytes]) -> TableChange:
    """The change that replaces some of the new and stored files by what is left of them."""
    rewritten = {each.path: each.files for each in (msgspec.msgpack.decode(message, type=Rewritten) for message in messages)}
    removed = [file for file in stored if file.path in rewritten]
    added = [kept for file in new for kept in rewritten.get(file.path, [file])]
    return TableChange(added, removed, [kept for file in removed for kept in rewritten[file.path]])


class _ItemSearch(NamedTuple):
    """Files of items, and the duplicates of ``event`` in the same partition whose items are removed from them."""

    files: list[DataFile]
    events: list[DuplicateRows]

    @property
    def seconds(self) -> float:
        """The CPU-seconds that it takes, about."""
        rows = sum(file.rows for file in self.files)
        return (rows + sum(len(each.rows) for each in self.events)) * _SECONDS_TO_MATCH + rows * _SECONDS_TO_REWRITE / 4


def item_change(new: list[DataFile], events: DeduplicatedChange, lake: Lake, runner: TaskRunner) -> TableChange:
    """The changes of a batch to ``item``: the items of a duplicate are removed with their event."""
    replaced = [each.file for each in events.duplicates.stored]
    stored = live_files(lake.open(ITEM), {file.app_id for file in replaced}, {file.day for file in replaced}) if replaced else []
    searches = [*_item_searches(new, events.duplicates.new), *_item_searches(stored, events.duplicates.stored)]
    messages = runner.run(searches, lambda search: search.seconds, partial(_remove_items, lake.for_workers))
    return _table_change(new, stored, messages)


def _item_searches(files: Iterable[DataFile], duplicates: Iterable[DuplicateRows]) -> Iterator[_ItemSearch]:
    """Searches of the files that are in a partition with duplicates."""
    events: dict[tuple[str, ...], list[DuplicateRows]] = {}
    for each in duplicates:
        events.setdefault(_partition(each.file), []).append(each)
    pending: dict[tuple[str, ...], list[DataFile]] = {}
    for file in files:
        if (partition := _partition(file)) in events:
            pending.setdefault(partition, []).append(file)
            if sum(each.rows for each in pending[partition]) >= _ITEMS_AT_ONCE:
                yield _ItemSearch(pending.pop(partition), events[partition])
    yield from (_ItemSearch(rest, events[partition]) for partition, rest in pending.items())


def _partition(file: DataFile) -> tuple[str, ...]:
    return tuple(file.partition[name] for name in EVENT.partition_by)


def _remove_items(lake: Lake, searches: Iterable[_ItemSearch]) -> Iterator[bytes]:
    """Write files again without the items of duplicates; yields a :class:`Rewritten` for each file that has such items."""
    for search in searches:
        lost = pa.concat_arrays([key for each in search.events for key in _keys_of(lake, each).chunks])
        for file in search.files:
            items = read_with_lineage(f"{lake.uri(ITEM)}/{file.path}", ["event_id"], lake.storage)
            mask = pc.is_in(row_keys(items["event_id"], read_lineage(items).source_positions), lost).combine_chunks()
            if pc.any(mask).as_py():
                yield msgspec.msgpack.encode(Rewritten(file.path, without_rows(lake, ITEM, file, mask)))


def _keys_of(lake: Lake, duplicates: DuplicateRows) -> pa.ChunkedArray:
    rows = read_keys(lake, EVENT, duplicates)
    return row_keys(rows["event_id"], rows["source_position"])


def row_keys(event_id: pa.ChunkedArray, source_position: pa.ChunkedArray) -> pa.ChunkedArray:
    """The key of a row of ``event`` and of its items: event id, raw file and line."""
    return pc.binary_join_element_wise(event_id, source_position, "\n")
