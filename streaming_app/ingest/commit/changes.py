"""Changes of a batch to the tables with unique rows: new files, and stored files rewritten without duplicates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.deduplicate import DuplicateReport, DuplicateRows, find_duplicates
from streaming_app.ingest.commit.duplicate_days import DuplicateDays
from streaming_app.ingest.task_report import IngestReport
from streaming_app.lake.commit import TableChange
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rewrite import row_mask, without_rows
from streaming_app.lake.rows import read_with_lineage
from streaming_app.model.lineage import read_lineage
from streaming_app.model.tables import ITEM, Table

if TYPE_CHECKING:
    from deltalake import DeltaTable


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


def deduplicate(table: Table, batch: Batch, report: IngestReport, lake: Lake) -> DeduplicatedChange:
    """Find the duplicates of a batch's rows, and rewrite the files that hold one."""
    target = lake.open(table)
    new = report.of(table.name)
    left_out = DuplicateDays(batch.config, batch.storage, table)
    duplicates = find_duplicates(lake, table, new, live_files(target), left_out, batch.config.dedupe.neighbour_days)
    return DeduplicatedChange(table, target, _rewrite(table, new, duplicates.new, duplicates.stored, lake), duplicates)


def _rewrite(
    table: Table, new: list[DataFile], new_duplicates: list[DuplicateRows], stored_duplicates: list[DuplicateRows], lake: Lake
) -> TableChange:
    """Rewrite the files that hold duplicates without them; keep all others as they are."""
    rows_by_path = {each.file.path: each.rows["row"] for each in new_duplicates}
    added: list[DataFile] = []
    for file in new:
        added += _rewrite_new(table, file, rows_by_path, lake)
    removed = [each.file for each in stored_duplicates]
    rewritten = [
        file
        for each in stored_duplicates
        for file in without_rows(lake, table, each.file, row_mask(each.file.rows, each.rows["row"]))
    ]
    return TableChange(added, removed, rewritten)


def _rewrite_new(table: Table, file: DataFile, rows_by_path: Mapping[str, pa.ChunkedArray], lake: Lake) -> list[DataFile]:
    if file.path not in rows_by_path:
        return [file]
    kept = without_rows(lake, table, file, row_mask(file.rows, rows_by_path[file.path]))
    lake.storage.delete(f"{lake.uri(table)}/{file.path}")
    return kept


def item_change(new: list[DataFile], events: DeduplicatedChange, stored: list[DataFile], lake: Lake) -> TableChange:
    """The changes of a batch to ``item``: the items of a duplicate are removed with their event."""
    partitions = [each.file.partition for each in events.duplicates.stored]
    candidates = [file for file in stored if file.partition in partitions] if partitions else []
    new_duplicates = [rows for file in new if (rows := _items_of(file, events.duplicates.new, lake))]
    stored_duplicates = [rows for file in candidates if (rows := _items_of(file, events.duplicates.stored, lake))]
    return _rewrite(ITEM, new, new_duplicates, stored_duplicates, lake)


def _items_of(file: DataFile, duplicates: list[DuplicateRows], lake: Lake) -> DuplicateRows | None:
    """The items in a file whose event is a duplicate."""
    of_partition = (each for each in duplicates if (each.file.app_id, each.file.day) == (file.app_id, file.day))
    events = [row_keys(each.rows["event_id"], each.rows["source_position"]) for each in of_partition]
    if not events:
        return None
    items = read_with_lineage(f"{lake.uri(ITEM)}/{file.path}", ["event_id"], lake.storage)
    keys = row_keys(items["event_id"], read_lineage(items).source_positions)
    rows = pc.indices_nonzero(pc.is_in(keys, pa.concat_arrays([each.combine_chunks() for each in events])))
    return DuplicateRows(file, pa.table({"row": rows.cast(pa.int64())})) if len(rows) else None


def row_keys(event_id: pa.ChunkedArray, source_position: pa.ChunkedArray) -> pa.ChunkedArray:
    """The key of a row of ``event`` and of its items: event id, raw file and line."""
    return pc.binary_join_element_wise(event_id, source_position, "\n")
