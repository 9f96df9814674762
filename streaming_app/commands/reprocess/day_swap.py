"""Rows of some raw files give way to those that a shadow of the tables has of them, on whatever day either lies.

One commit a table, so that no reader meets an event that has moved to another day twice, or not at all. Files of the shadow keep
their names on the way: an exchange that is tried again changes only what still differs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.commands.reprocess.affected_rows import AffectedFiles, SearchRunner, find_affected_rows
from streaming_app.commands.reprocess.lost_duplicates import LostDuplicates, find_lost_duplicates, partition_of
from streaming_app.config.model import Config
from streaming_app.ingest.commit.hashes import Mask
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import AnyFile, LiveFile, WrittenFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import column_stats, delta_stats
from streaming_app.lake.rewrite import without_rows
from streaming_app.lake.rows import read_batches, read_columns
from streaming_app.model.lineage import source_positions
from streaming_app.model.tables import CHANGE, EVENT, ITEM, Table

IN_ORDER = (ITEM, CHANGE, EVENT)
"""``event`` says what there is, so it comes last."""

UserKeys = set[tuple[str, str]]


@dataclass
class TableParts:
    """Files of a table by what they hold. ``masks`` says of the files that are ``going`` which rows are the raw files'."""

    masks: dict[str, Mask]
    going: list[LiveFile]
    rest: list[WrittenFile]
    """Their other rows."""
    coming: list[WrittenFile]
    """The shadow's, copied beside the table's own."""
    there: list[LiveFile]
    """The shadow's that an earlier try has put in."""
    others: list[LiveFile]
    """Without rows of the raw files."""

    @property
    def made(self) -> list[AnyFile]:
        return [*self.coming, *self.there]

    @property
    def kept(self) -> list[AnyFile]:
        return [*self.rest, *self.others]


@dataclass(frozen=True)
class DaySwap:
    """What becomes of a table, and of how many rows; ``users`` have rows among them."""

    table: Table
    removed: list[LiveFile]
    added: list[WrittenFile]
    taken_out: int
    """Rows of the raw files that go, and"""
    put_in: int
    """that come."""
    replaced: int
    """Rows of other raw files that go: an earlier copy of theirs comes."""
    made: int
    """Rows of the raw files that there are afterwards, and"""
    outdone: int
    """rows of the shadow that are not among them: another raw file has an earlier copy."""
    lost: LostDuplicates
    users: UserKeys
    days: frozenset[date]
    """On which rows of the raw files lay, or will lie."""

    @property
    def difference(self) -> int:
        """Rows more than before."""
        return self.put_in - self.taken_out - self.replaced


def plan_swaps(
    config: Config, lake: Lake, shadow: Lake, affected: AffectedFiles, days: frozenset[date], run: SearchRunner
) -> list[DaySwap]:
    """Write the files that the tables are to have; ``item``, ``change`` and ``event``, in the order in which to commit them.

    Items lie on the days of their events; ``days`` are further ones to be looked at.
    """
    event, change = (_plan(table, config, lake, shadow, affected, run) for table in (EVENT, CHANGE))
    return [_plan_items(event, lake, shadow, affected, days | event.days, run), change, event]


def _plan(table: Table, config: Config, lake: Lake, shadow: Lake, affected: AffectedFiles, run: SearchRunner) -> DaySwap:
    parts = _parts(table, live_files(lake.open(table)), lake, shadow, affected, run)
    lost = find_lost_duplicates(table, parts.made, parts.kept, config, lake)
    users = _users(table, parts, lake) | lost.users
    return _day_swap(table, parts, lost, users, lake)


def _plan_items(
    event: DaySwap, lake: Lake, shadow: Lake, affected: AffectedFiles, days: frozenset[date], run: SearchRunner
) -> DaySwap:
    """Items follow their event: those of a copy that lost go with it."""
    stored = [file for file in live_files(lake.open(ITEM)) if file.day in days]
    parts = _parts(ITEM, stored, lake, shadow, affected, run)
    lost = LostDuplicates()
    for file in (*parts.made, *parts.kept):
        keys = event.lost.copies.get(file.partition["app_id"])
        if keys is not None and partition_of(ITEM, file) in event.lost.partitions:
            rows = read_columns(f"{lake.uri(ITEM)}/{file.path}", ["event_id", "process_info"], lake.storage)
            mine = pc.is_in(pc.binary_join_element_wise(rows["event_id"], source_positions(rows["process_info"]), "\n"), keys)
            if pc.any(mine).as_py():
                lost.rows[file.path] = set(pc.indices_nonzero(mine).to_pylist())
    return _day_swap(ITEM, parts, lost, set(), lake)


def _parts(
    table: Table, stored: list[LiveFile], lake: Lake, shadow: Lake, affected: AffectedFiles, run: SearchRunner
) -> TableParts:
    made = live_files(shadow.open(table))
    names, known = {file.path for file in made}, {file.path for file in stored}
    there = [file for file in stored if file.path in names]
    others = [file for file in stored if file.path not in names]
    masks = find_affected_rows(table, others, affected, lake, run)
    going = [file for file in others if file.path in masks]
    return TableParts(
        masks,
        going,
        [each for file in going if not masks[file.path].all() for each in _without(table, file, masks[file.path], lake)],
        [_copied(file, table, lake, shadow) for file in made if file.path not in known],
        there,
        [file for file in others if file.path not in masks],
    )


def _day_swap(table: Table, parts: TableParts, lost: LostDuplicates, users: UserKeys, lake: Lake) -> DaySwap:
    """Files that hold a losing copy are written again without it. What is not committed then is left to ``vacuum``: an earlier
    try may have committed a file of the same name, which readers of that version still need."""
    removed, added = list(parts.going), []
    for new in (*parts.coming, *parts.rest):
        if new.path in lost.rows:
            added += _without(table, new, lost.mask(new), lake)
        else:
            added.append(new)
    for old in (*parts.there, *parts.others):
        if old.path in lost.rows:
            added += _without(table, old, lost.mask(old), lake)
            removed.append(old)
    return DaySwap(
        table,
        removed,
        added,
        taken_out=sum(int(mask.sum()) for mask in parts.masks.values()) + lost.count_in(parts.there),
        put_in=rows_of(parts.coming) - lost.count_in(parts.coming),
        replaced=lost.count_in(parts.kept),
        made=rows_of(parts.made) - lost.count_in(parts.made),
        outdone=lost.count_in(parts.made),
        lost=lost,
        users=users,
        days=frozenset(file.day for file in (*parts.made, *parts.going)),
    )


def commit_swap(swap_days: DaySwap, lake: Lake) -> None:
    """Silent: derive has seen the old rows and would count the new ones besides. The users' rows are rebuilt instead."""
    if swap_days.removed or swap_days.added:
        commit(lake, swap_days.table, TableChange([], swap_days.removed, swap_days.added), TransactionId.unique("reprocess"))


def _without(table: Table, file: AnyFile, lost: Mask, lake: Lake) -> list[WrittenFile]:
    return without_rows(lake, table, file, pa.array(lost))


def _copied(file: LiveFile, table: Table, lake: Lake, shadow: Lake) -> WrittenFile:
    """The shadow's file, beside the table's own: whole, also where an earlier try died while it copied."""
    system, target = lake.storage.filesystem(f"{lake.uri(table)}/{file.path}")
    _, source = shadow.storage.filesystem(f"{shadow.uri(table)}/{file.path}")
    if system.get_file_info(target).size != file.size:
        system.create_dir(target.rpartition("/")[0], recursive=True)
        system.copy_file(source, target)
    with pq.ParquetFile(source, filesystem=system, pre_buffer=True) as parquet:
        rows, names = parquet.metadata.num_rows, list(table.stats_columns)
        groups = [parquet.read_row_group(group, columns=names) for group in range(parquet.num_row_groups)]
    stats = delta_stats(rows, [column_stats(group, table.stats_columns) for group in groups])
    return WrittenFile(table.name, file.path, file.partition, file.size, rows, stats)


def _users(table: Table, parts: TableParts, lake: Lake) -> UserKeys:
    """Users with rows of the raw files, in files that go or come."""
    found: UserKeys = set()
    files: list[AnyFile] = [*parts.going, *parts.coming]
    for file in files:
        mask, first = parts.masks.get(file.path), 0
        for rows in read_batches(lake, table, file, ["user_pseudo_id"]):
            users = rows["user_pseudo_id"]
            mine = users if mask is None else users.filter(pa.array(mask[first : first + len(rows)]))
            found |= {(file.partition["app_id"], user) for user in pc.unique(mine).to_pylist() if user is not None}
            first += len(rows)
    return found


def rows_of(files: Iterable[AnyFile]) -> int:
    return sum(file.rows for file in files)
