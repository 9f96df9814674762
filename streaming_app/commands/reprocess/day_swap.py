"""Replacing the rows of some raw files with those that a shadow of the tables has of them, on whatever day they are.

One commit a table, so that no reader meets an event that has moved to another day twice, or not at all. Files of the shadow keep
their names on the way: a swap that is repeated after a kill changes only what still differs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.commands.reprocess.affected_rows import AffectedFiles, find_affected_rows
from streaming_app.commands.reprocess.lost_duplicates import LostDuplicates, find_lost_duplicates, partition_of
from streaming_app.config.model import Config
from streaming_app.ingest.commit.changes import row_keys
from streaming_app.ingest.commit.task_runner import TaskRunner
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import column_stats, delta_stats
from streaming_app.lake.rewrite import without_rows
from streaming_app.lake.rows import RowMask, read_batches, read_with_lineage
from streaming_app.model.lineage import read_lineage
from streaming_app.model.tables import CHANGE, EVENT, ITEM, Table

IN_ORDER = (ITEM, CHANGE, EVENT)
"""``event`` is the source of truth, so it is committed last."""

UserKeys = set[tuple[str, str]]


@dataclass
class TableParts:
    """Files of a table by what they hold."""

    masks: dict[str, RowMask]
    """Which rows of the affected files are the raw files', by path."""
    affected: list[DataFile]
    """Stored files with rows of the raw files."""
    remainder: list[DataFile]
    """Their other rows, rewritten."""
    copied: list[DataFile]
    """The shadow's files, copied beside the table's own."""
    swapped_before: list[DataFile]
    """The shadow's files that an earlier attempt has committed."""
    untouched: list[DataFile]
    """Stored files without rows of the raw files."""

    @property
    def from_shadow(self) -> list[DataFile]:
        return [*self.copied, *self.swapped_before]

    @property
    def from_others(self) -> list[DataFile]:
        """Rows of other raw files."""
        return [*self.remainder, *self.untouched]


@dataclass(frozen=True)
class DaySwap:
    """The change of one table, and its counts of rows; ``users`` have rows among them."""

    table: Table
    removed: list[DataFile]
    added: list[DataFile]
    taken_out: int
    """Rows of the raw files that are removed."""
    put_in: int
    """Rows of the shadow that are added."""
    replaced: int
    """Rows of other raw files that are removed: the shadow has the earlier duplicate."""
    rows_after: int
    """Rows of the raw files after the swap."""
    rows_lost: int
    """Rows of the shadow that are not added: another raw file has the earlier duplicate."""
    lost: LostDuplicates
    users: UserKeys
    days: frozenset[date]
    """Days of rows of the raw files, before and after the swap."""

    @property
    def difference(self) -> int:
        """Rows after the swap minus rows before."""
        return self.put_in - self.taken_out - self.replaced


def plan_swaps(
    config: Config, lake: Lake, shadow: Lake, affected: AffectedFiles, days: frozenset[date], runner: TaskRunner
) -> list[DaySwap]:
    """Write the files that the tables are to have; ``item``, ``change`` and ``event``, in the order in which to commit them.

    Items have the days of their events; ``days`` are further ones to be searched.
    """
    event, change = (_plan(table, config, lake, shadow, affected, runner) for table in (EVENT, CHANGE))
    return [_plan_items(event, lake, shadow, affected, days | event.days, runner), change, event]


def _plan(table: Table, config: Config, lake: Lake, shadow: Lake, affected: AffectedFiles, runner: TaskRunner) -> DaySwap:
    parts = _split_files(table, live_files(lake.open(table)), lake, shadow, affected, runner)
    lost = find_lost_duplicates(table, parts.from_shadow, parts.from_others, config, lake, runner)
    users = _users(table, parts, lake) | lost.users
    return _make_swap(table, parts, lost, users, lake)


def _plan_items(
    event: DaySwap, lake: Lake, shadow: Lake, affected: AffectedFiles, days: frozenset[date], runner: TaskRunner
) -> DaySwap:
    """Items follow their event: those of a losing duplicate are removed with it."""
    stored = [file for file in live_files(lake.open(ITEM)) if file.day in days]
    parts = _split_files(ITEM, stored, lake, shadow, affected, runner)
    lost = LostDuplicates()
    for file in (*parts.from_shadow, *parts.from_others):
        keys = event.lost.keys.get(file.partition["app_id"])
        if keys is not None and partition_of(ITEM, file) in event.lost.partitions:
            rows = read_with_lineage(f"{lake.uri(ITEM)}/{file.path}", ["event_id"], lake.storage)
            mine = pc.is_in(row_keys(rows["event_id"], read_lineage(rows).source_positions), keys)
            if pc.any(mine).as_py():
                lost.rows[file.path] = set(pc.indices_nonzero(mine).to_pylist())
    return _make_swap(ITEM, parts, lost, set(), lake)


def _split_files(
    table: Table, stored: list[DataFile], lake: Lake, shadow: Lake, affected: AffectedFiles, runner: TaskRunner
) -> TableParts:
    shadow_files = live_files(shadow.open(table))
    shadow_names, stored_names = {file.path for file in shadow_files}, {file.path for file in stored}
    others = [file for file in stored if file.path not in shadow_names]
    masks = find_affected_rows(table, others, affected, lake, runner)
    return TableParts(
        masks=masks,
        affected=(with_rows := [file for file in others if file.path in masks]),
        remainder=[
            each for file in with_rows if not masks[file.path].all() for each in _remove_rows(table, file, masks[file.path], lake)
        ],
        copied=[_copy_from_shadow(file, table, lake, shadow) for file in shadow_files if file.path not in stored_names],
        swapped_before=[file for file in stored if file.path in shadow_names],
        untouched=[file for file in others if file.path not in masks],
    )


def _make_swap(table: Table, parts: TableParts, lost: LostDuplicates, users: UserKeys, lake: Lake) -> DaySwap:
    """Rewrite files that hold a losing duplicate without it. Files that are then not committed are left to ``vacuum``: an
    earlier attempt may have committed one of the same name, which readers of that version still need."""
    removed, added = list(parts.affected), []
    for new in (*parts.copied, *parts.remainder):
        if new.path in lost.rows:
            added += _remove_rows(table, new, lost.mask(new), lake)
        else:
            added.append(new)
    for old in (*parts.swapped_before, *parts.untouched):
        if old.path in lost.rows:
            added += _remove_rows(table, old, lost.mask(old), lake)
            removed.append(old)
    return DaySwap(
        table,
        removed,
        added,
        taken_out=sum(int(mask.sum()) for mask in parts.masks.values()) + lost.count_in(parts.swapped_before),
        put_in=rows_of(parts.copied) - lost.count_in(parts.copied),
        replaced=lost.count_in(parts.from_others),
        rows_after=rows_of(parts.from_shadow) - lost.count_in(parts.from_shadow),
        rows_lost=lost.count_in(parts.from_shadow),
        lost=lost,
        users=users,
        days=frozenset(file.day for file in (*parts.from_shadow, *parts.affected)),
    )


def commit_swap(swap: DaySwap, lake: Lake) -> None:
    """Commit without a data change: derive has read the old rows and would count the new ones too; users are rebuilt instead."""
    if swap.removed or swap.added:
        commit(lake, swap.table, TableChange([], swap.removed, swap.added), TransactionId.unique("reprocess"))


def _remove_rows(table: Table, file: DataFile, lost: RowMask, lake: Lake) -> list[DataFile]:
    return without_rows(lake, table, file, pa.array(lost))


def _copy_from_shadow(file: DataFile, table: Table, lake: Lake, shadow: Lake) -> DataFile:
    """The shadow's file, beside the table's own: whole, even if an earlier attempt was killed while it copied."""
    system, target = lake.storage.filesystem(f"{lake.uri(table)}/{file.path}")
    _, source = shadow.storage.filesystem(f"{shadow.uri(table)}/{file.path}")
    if system.get_file_info(target).size != file.size:
        system.create_dir(target.rpartition("/")[0], recursive=True)
        system.copy_file(source, target)
    with pq.ParquetFile(source, filesystem=system, pre_buffer=True) as parquet:
        rows, names = parquet.metadata.num_rows, list(table.stats_columns)
        groups = [parquet.read_row_group(group, columns=names) for group in range(parquet.num_row_groups)]
    stats = delta_stats(rows, [column_stats(group, table.stats_columns) for group in groups])
    return DataFile(file.path, file.partition, file.size, rows, table.name, stats)


def _users(table: Table, parts: TableParts, lake: Lake) -> UserKeys:
    """Users with rows of the raw files, in files that are removed or added."""
    found: UserKeys = set()
    files: list[DataFile] = [*parts.affected, *parts.copied]
    for file in files:
        mask, first = parts.masks.get(file.path), 0
        for rows in read_batches(lake, table, file, ["user_pseudo_id"]):
            users = rows["user_pseudo_id"]
            mine = users if mask is None else users.filter(pa.array(mask[first : first + len(rows)]))
            found |= {(file.partition["app_id"], user) for user in pc.unique(mine).to_pylist() if user is not None}
            first += len(rows)
    return found


def rows_of(files: Iterable[DataFile]) -> int:
    return sum(file.rows for file in files)
