"""Exactly once, as files: which new files a batch adds, and which stored ones are written again without a losing copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.dedupe import DataFile, Losers, Verdict, judge
from streaming_app.ingest.commit.duplicate_days import DuplicateDays
from streaming_app.ingest.task_report import IngestReport
from streaming_app.lake.commit import TableChange
from streaming_app.lake.files import LiveFile, WrittenFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rewrite import row_mask, without_rows
from streaming_app.lake.rows import read_columns
from streaming_app.model.lineage import source_positions
from streaming_app.model.tables import ITEM, Table

if TYPE_CHECKING:
    from deltalake import DeltaTable


@dataclass(frozen=True)
class Deduped:
    """What a batch does to a table whose rows are there once; ``days`` are the partitions in which a stored copy lost."""

    table: Table
    target: DeltaTable
    change: TableChange
    verdict: Verdict
    days: list[dict[str, str]]

    @property
    def replaced(self) -> int:
        """Stored copies that give way to new ones."""
        return sum(len(losers.rows) for losers in self.verdict.stored)

    @property
    def written(self) -> int:
        """Rows more than before: a new copy that takes a stored one's place adds none."""
        return sum(file.rows for file in self.change.added) - self.replaced

    @property
    def duplicate(self) -> int:
        return sum(len(losers.rows) for losers in self.verdict.new) + self.replaced


def deduped(table: Table, batch: Batch, report: IngestReport, lake: Lake) -> Deduped:
    target = lake.open(table)
    stored = live_files(target)
    files = {file.path: file for file in stored}
    new = report.of(table.name)
    root, days = lake.uri(table), batch.config.dedupe.neighbour_days
    left_out = DuplicateDays(batch.config, batch.storage, table)
    verdict = judge(_data_files(new, root), _data_files(stored, root), left_out, days, batch.storage)
    rewrite = _rewrite(table, new, files, verdict.new, verdict.stored, lake)
    changed_days = [files[losers.file.path].partition for losers in verdict.stored]
    return Deduped(table, target, rewrite, verdict, changed_days)


def _data_files(files: list[WrittenFile] | list[LiveFile], root: str) -> list[DataFile]:
    return [DataFile(root, file.path, file.partition["app_id"], file.day, isinstance(file, WrittenFile)) for file in files]


def _rewrite(
    table: Table,
    new: list[WrittenFile],
    stored: dict[str, LiveFile],
    lost_new: list[Losers],
    lost_stored: list[Losers],
    lake: Lake,
) -> TableChange:
    """Files that hold a losing copy are written again without it; all others are taken as they are."""
    lost = {losers.file.path: losers.rows for losers in lost_new}
    added: list[WrittenFile] = []
    for file in new:
        added += _without(table, file, lost[file.path]["row"], lake) if file.path in lost else [file]
    removed = [stored[losers.file.path] for losers in lost_stored]
    kept = [
        file for old, losers in zip(removed, lost_stored, strict=True) for file in _without(table, old, losers.rows["row"], lake)
    ]
    return TableChange(added, removed, kept)


def _without(table: Table, file: WrittenFile | LiveFile, rows: pa.ChunkedArray, lake: Lake) -> list[WrittenFile]:
    kept = without_rows(lake, table, file, row_mask(file.rows, rows))
    if isinstance(file, WrittenFile):
        lake.storage.delete(f"{lake.uri(table)}/{file.path}")
    return kept


def item_rewrite(new: list[WrittenFile], events: Deduped, stored: list[LiveFile], lake: Lake) -> TableChange:
    """Items follow their event: those of a copy that lost go with it."""
    near = [file for file in stored if file.partition in events.days] if events.days else []
    lost_new = [losers for file in new if (losers := _items_of(file, events.verdict.new, lake))]
    lost_stored = [losers for file in near if (losers := _items_of(file, events.verdict.stored, lake))]
    return _rewrite(ITEM, new, {file.path: file for file in near}, lost_new, lost_stored, lake)


def _items_of(file: WrittenFile | LiveFile, lost: list[Losers], lake: Lake) -> Losers | None:
    """The items in a file whose event is among the losing copies."""
    here = DataFile(lake.uri(ITEM), file.path, file.partition["app_id"], file.day, isinstance(file, WrittenFile))
    of_partition = (losers for losers in lost if (losers.file.app_id, losers.file.day) == (here.app_id, here.day))
    copies = [_copy_key(losers.rows["event_id"], losers.rows["place"]) for losers in of_partition]
    if not copies:
        return None
    items = read_columns(f"{here.root}/{file.path}", ["event_id", "process_info"], lake.storage)
    keys = _copy_key(items["event_id"], source_positions(items["process_info"]))
    rows = pc.indices_nonzero(pc.is_in(keys, pa.concat_arrays([each.combine_chunks() for each in copies])))
    return Losers(here, pa.table({"row": rows.cast(pa.int64())})) if len(rows) else None


def _copy_key(event_id: pa.ChunkedArray, place: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(event_id, place, "\n")
