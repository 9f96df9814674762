"""One day of a table gives way to the same day of a shadow of it, in one commit.

Files keep their names on the way, so a step that is tried again sees what it has done: it changes only what still differs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.model.process_info import sources
from streaming_app.model.tables import Table
from streaming_app.tables.commit import Rewrite, commit_once
from streaming_app.tables.delta import Sink, live_files
from streaming_app.tables.files import LiveFile, WrittenFile
from streaming_app.tables.parquet import PartitionWriter, column_stats, delta_stats
from streaming_app.tables.rewrite import with_partition
from streaming_app.tables.rows import read_batches


@dataclass(frozen=True)
class Exchange:
    """Files of a table that go, and files of its shadow that come in their place."""

    table: Table
    going: list[LiveFile]
    coming: list[LiveFile]

    def __bool__(self) -> bool:
        return bool(self.going or self.coming)


def exchange_of(table: Table, day: date, sink: Sink, shadow: Sink) -> Exchange:
    """What still differs on a day; files that hold kept rows (below) are exchanged for equal ones."""
    old = [file for file in live_files(sink.open(table)) if file.day == day]
    new = [file for file in live_files(shadow.open(table)) if file.day == day]
    here, there = {file.path for file in old}, {file.path for file in new}
    return Exchange(table, [file for file in old if file.path not in there], [file for file in new if file.path not in here])


def users_of(exchange: Exchange, sink: Sink, shadow: Sink) -> set[tuple[str, str]]:
    """Users with rows in files that go or come."""
    return {
        (file.partition["app_id"], user)
        for files, root in ((exchange.going, sink), (exchange.coming, shadow))
        for file in files
        for rows in read_batches(root, exchange.table, file, ["user_pseudo_id"])
        for user in pc.unique(rows["user_pseudo_id"]).to_pylist()
        if user is not None
    }


def make_exchange(exchange: Exchange, gone: frozenset[str], sink: Sink, shadow: Sink) -> dict[str, int]:
    """Commit it; rows whose raw file is gone cannot be made anew, and stay unless a new row has their key."""
    table = exchange.table
    kept = _kept(exchange, gone, sink, shadow) if gone else []
    copied = [_copied(file, table, sink, shadow) for file in exchange.coming]
    # Silent: derive has seen the old rows and would count the new ones besides. The users' rows are rebuilt instead.
    commit_once(sink, table, Rewrite([], exchange.going, [*copied, *kept], silent=True), "reprocess")
    return {
        "before": sum(file.rows for file in exchange.going),
        "after": sum(file.rows for file in (*copied, *kept)),
        "kept": sum(file.rows for file in kept),
    }


def _copied(file: LiveFile, table: Table, sink: Sink, shadow: Sink) -> WrittenFile:
    """The shadow's file, beside the table's own."""
    system, target = sink.storage.filesystem(f"{sink.uri(table)}/{file.path}")
    _, source = shadow.storage.filesystem(f"{shadow.uri(table)}/{file.path}")
    if not sink.storage.exists(f"{sink.uri(table)}/{file.path}"):
        system.create_dir(target.rpartition("/")[0], recursive=True)
        system.copy_file(source, target)
    with pq.ParquetFile(source, filesystem=system) as parquet:
        rows, names = parquet.metadata.num_rows, list(table.stats_columns)
        groups = [parquet.read_row_group(group, columns=names) for group in range(parquet.num_row_groups)]
    stats = delta_stats(rows, [column_stats(group, table.stats_columns) for group in groups])
    return WrittenFile(table.name, file.path, file.partition, file.size, rows, stats)


def _kept(exchange: Exchange, gone: frozenset[str], sink: Sink, shadow: Sink) -> list[WrittenFile]:
    table = exchange.table
    made = _keys_by_app(table, exchange.coming, shadow)
    writer = PartitionWriter(table, sink.uri(table), sink.storage, "kept")
    names = [name for name in table.schema.names if name not in table.partition_by]
    for file in exchange.going:
        for rows in read_batches(sink, table, file, names):
            orphans = pc.is_in(sources(rows["process_info"]), pa.array(sorted(gone)))
            again = pc.is_in(_keys(table, rows), made.get(file.partition["app_id"], pa.array([], pa.string())))
            kept = rows.filter(pc.and_not(orphans, again))
            if len(kept):
                writer.add(with_partition(kept, table, file.partition))
    return writer.close()


def _keys_by_app(table: Table, files: Iterable[LiveFile], sink: Sink) -> dict[str, pa.Array]:
    found: dict[str, list[pa.Array]] = {}
    names = [name for name in table.key if name not in table.partition_by]
    for file in files:
        for rows in read_batches(sink, table, file, names):
            found.setdefault(file.partition["app_id"], []).extend(_keys(table, rows).chunks)
    return {app_id: pa.concat_arrays(parts) for app_id, parts in found.items()}


def _keys(table: Table, rows: pa.Table) -> pa.ChunkedArray:
    """The key as one text; the event id, which may hold anything, comes last."""
    names = sorted((name for name in table.key if name not in table.partition_by), reverse=True)
    return pc.binary_join_element_wise(*(rows[name].cast(pa.string()) for name in names), " ")
