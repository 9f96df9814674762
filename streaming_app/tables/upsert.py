"""Upsert by Arrow: rows that are replaced leave their files, new rows join them, and one Delta commit makes it so.

What Delta calls copy-on-write, without the JVM: only files that hold a replaced row are written again, and what is left of
them is written together with the new rows, so that a table that changes often does not fall into ever smaller files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.model.tables import Table
from streaming_app.tables.commit import Rewrite, commit, committed
from streaming_app.tables.delta import Sink, live_files
from streaming_app.tables.files import LiveFile
from streaming_app.tables.parquet import PartitionWriter
from streaming_app.tables.rewrite import with_partition
from streaming_app.tables.rows import read_columns

Transaction = tuple[str, int]
"""Id of a stream and number of its micro-batch."""


@dataclass(frozen=True)
class Held:
    """A file that holds rows of interest: all its rows, and which of them are of interest."""

    file: LiveFile
    rows: pa.Table
    wanted: pa.Array


def hold(
    sink: Sink, table: Table, key: str, values: dict[str, pa.Array], near: Callable[[LiveFile], bool] = lambda _: True
) -> list[Held]:
    """The files in which ``key`` is one of ``values`` of their app; others are ruled out by one column."""
    held = []
    for file in live_files(sink.open(table)):
        wanted = values.get(file.partition["app_id"])
        if wanted is None or not near(file):
            continue
        uri = f"{sink.uri(table)}/{file.path}"
        mask = pc.is_in(read_columns(uri, [key], sink.storage)[key], wanted)
        if pc.any(mask).as_py():
            rows = read_columns(uri, None, sink.storage)
            held.append(Held(file, with_partition(rows, table, file.partition), mask.combine_chunks()))
    return held


def wanted_rows(table: Table, held: Iterable[Held]) -> pa.Table:
    """The rows of interest of all files."""
    return pa.concat_tables([table.schema.empty_table(), *(each.rows.filter(each.wanted) for each in held)])


def replace(sink: Sink, table: Table, going: Iterable[Held], new: pa.Table, transaction: Transaction) -> None:
    """Commit ``new`` in place of the wanted rows of some files; nothing happens if the transaction was committed."""
    target = sink.open(table)
    if committed(target, *transaction):
        return
    writer = PartitionWriter(table, sink.uri(table), sink.storage, f"upsert-{transaction[1]}")
    removed = []
    for each in going:
        removed.append(each.file)
        writer.add(each.rows.filter(pc.invert(each.wanted)))
    writer.add(new)
    if removed or len(new):
        sink.guard()
        commit(target, table, Rewrite(writer.close(), removed, [], silent=False), *transaction)


def values_by_app(rows: pa.Table, column: str) -> dict[str, pa.Array]:
    """The distinct values of a column in each app."""
    return {
        app_id: pc.unique(rows.filter(pc.equal(rows["app_id"], app_id))[column])
        for app_id in pc.unique(rows["app_id"]).to_pylist()
    }
