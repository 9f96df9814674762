"""Upsert by Arrow: rows that are replaced leave their files, new rows join them, and one Delta commit makes it so.

What Delta calls copy-on-write, without the JVM: only files that hold a replaced row are written again, and what is left of
them is written together with the new rows, so that a table that changes often does not fall into ever smaller files. Of the
rows that stay, no more than a row group is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.lake.commit import TableChange, TransactionId, commit, is_committed
from streaming_app.lake.files import LiveFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.rewrite import row_groups
from streaming_app.lake.rows import read_columns
from streaming_app.model.tables import Table

Choice = Callable[[str, pa.Table], pa.ChunkedArray | None]
"""Of an app's rows, by some columns: which are of interest; None where none of the app can be."""


@dataclass(frozen=True)
class Held:
    """A file that holds rows of interest: ``rows`` are these, ``wanted`` says of each row of the file whether it is one."""

    file: LiveFile
    rows: pa.Table
    wanted: pa.Array


def hold(
    lake: Lake, table: Table, columns: tuple[str, ...], choose: Choice, near: Callable[[LiveFile], bool] = lambda _: True
) -> list[Held]:
    """The files with rows that ``choose`` wants; others are ruled out by their log entry, or by some columns."""
    held = []
    for file in live_files(lake.open(table)):
        if not near(file):
            continue
        seen = read_columns(f"{lake.uri(table)}/{file.path}", columns, lake.storage)
        mask = choose(file.partition["app_id"], seen)
        if mask is not None and pc.any(mask).as_py():
            wanted = mask.combine_chunks()
            rows = [group.filter(wanted.slice(first, len(group))) for first, group in row_groups(lake, table, file)]
            held.append(Held(file, pa.concat_tables(rows), wanted))
    return held


def one_of(values: dict[str, pa.Array]) -> Choice:
    """Rows whose first column is one of the values of their app."""

    def choose(app_id: str, seen: pa.Table) -> pa.ChunkedArray | None:
        return pc.is_in(seen[0], values[app_id]) if app_id in values else None

    return choose


def wanted_rows(table: Table, held: Iterable[Held]) -> pa.Table:
    """The rows of interest of all files."""
    return pa.concat_tables([table.schema.empty_table(), *(each.rows for each in held)])


def replace(lake: Lake, table: Table, going: Iterable[Held], new: pa.Table, transaction: TransactionId) -> None:
    """Commit ``new`` in place of the wanted rows of some files; nothing happens if the transaction was committed."""
    target = lake.open(table)
    if is_committed(target, transaction):
        return
    writer = PartitionWriter(table, lake.uri(table), lake.storage, f"upsert-{transaction[1]}")
    removed = []
    for each in going:
        removed.append(each.file)
        for first, rows in row_groups(lake, table, each.file):
            writer.add(rows.filter(pc.invert(each.wanted.slice(first, len(rows)))))
    writer.add(new)
    if removed or len(new):
        commit(lake, table, TableChange(writer.close(), removed, [], data_change=True), transaction, target)


def exclude(held: Iterable[Held], column: str, values: dict[str, pa.Array]) -> list[Held]:
    """The files with the rows of some values, by app, wanted no more: these stay as they are."""
    return [_without(each, column, values.get(each.file.partition["app_id"])) for each in held]


def _without(held: Held, column: str, values: pa.Array | None) -> Held:
    if values is None:
        return held
    wanted = pc.invert(pc.is_in(held.rows[column], values)).combine_chunks()
    return Held(held.file, held.rows.filter(wanted), pc.replace_with_mask(held.wanted, held.wanted, wanted))


def values_by_app(rows: pa.Table, column: str) -> dict[str, pa.Array]:
    """The distinct values of a column in each app."""
    return {
        app_id: pc.unique(rows.filter(pc.equal(rows["app_id"], app_id))[column])
        for app_id in pc.unique(rows["app_id"]).to_pylist()
    }
