"""Upserts rows by copy-on-write with Arrow, without a JVM, in one Delta commit.

Only files with a replaced row are rewritten, and their other rows are written together with the new rows, so that frequent
changes do not split a table into ever smaller files. Of the rows that are kept, at most one row group is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.lake.commit import TableChange, TransactionId, commit, is_committed
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rewrite import drop_rows, read_row_groups, rewrite
from streaming_app.lake.rows import read_columns
from streaming_app.model.tables import Table

RowSelector = Callable[[str, pa.Table], pa.ChunkedArray | None]
"""Gets an app id and some columns of its rows; returns which rows match, or None if none of the app can match."""


@dataclass(frozen=True)
class MatchedFile:
    """A file with matching rows: ``rows`` are the matching ones, ``mask`` is true for them among all rows of the file."""

    file: DataFile
    rows: pa.Table
    mask: pa.Array

    def narrow(self, which: pa.Array) -> MatchedFile:
        """The file with only those of its matching rows where ``which`` is true."""
        return replace(self, rows=self.rows.filter(which), mask=pc.replace_with_mask(self.mask, self.mask, which))


def find_matching_files(
    lake: Lake,
    table: Table,
    columns: tuple[str, ...],
    select: RowSelector,
    may_match: Callable[[DataFile], bool] = lambda _: True,
) -> list[MatchedFile]:
    """Find the files with rows that ``select`` matches by some columns; ``may_match`` prunes files by their entry in the log."""
    found = []
    for file in live_files(lake.open(table)):
        if not may_match(file):
            continue
        mask = select(file.partition["app_id"], read_columns(f"{lake.uri(table)}/{file.path}", columns, lake.storage))
        if mask is not None and pc.any(mask).as_py():
            mask = mask.combine_chunks()
            rows = [group.filter(mask.slice(first, len(group))) for first, group in read_row_groups(lake, table, file)]
            found.append(MatchedFile(file, pa.concat_tables(rows), mask))
    return found


def rows_with_key_in(values: dict[str, pa.Array]) -> RowSelector:
    """Selects rows whose first column is one of the values of their app."""

    def select(app_id: str, rows: pa.Table) -> pa.ChunkedArray | None:
        return pc.is_in(rows[0], values[app_id]) if app_id in values else None

    return select


def matching_rows(table: Table, files: Iterable[MatchedFile]) -> pa.Table:
    """The matching rows of all files."""
    return pa.concat_tables([table.schema.empty_table(), *(each.rows for each in files)])


def exclude(files: Iterable[MatchedFile], column: str, values: dict[str, pa.Array]) -> list[MatchedFile]:
    """Exclude rows with some values, by app, from the matching rows of files, so that these rows are not replaced."""
    return [_exclude(each, column, values.get(each.file.partition["app_id"])) for each in files]


def _exclude(matched: MatchedFile, column: str, values: pa.Array | None) -> MatchedFile:
    if values is None:
        return matched
    return matched.narrow(pc.invert(pc.is_in(matched.rows[column], values)).combine_chunks())


def upsert(lake: Lake, table: Table, to_replace: Sequence[MatchedFile], new: pa.Table, transaction: TransactionId) -> None:
    """Commit ``new`` in place of the matching rows of some files; nothing happens if the transaction is committed already."""
    # 1. Skip a transaction that is committed already.
    target = lake.open(table)
    if is_committed(target, transaction):
        return
    # 2. Rewrite the files without their matching rows, together with the new rows.
    removed = [each.file for each in to_replace]
    if not removed and not len(new):
        return
    transform = drop_rows({each.file.path: each.mask for each in to_replace})
    written = rewrite(lake, table, removed, transform, f"upsert-{transaction.batch_id}", new)
    # 3. Commit with a data change: readers' copies of the replaced rows are out of date.
    commit(lake, table, TableChange(written, removed, [], data_change=True), transaction, target)


def values_by_app(rows: pa.Table, column: str) -> dict[str, pa.Array]:
    """The distinct values of a column in each app."""
    return {
        app_id: pc.unique(rows.filter(pc.equal(rows["app_id"], app_id))[column])
        for app_id in pc.unique(rows["app_id"]).to_pylist()
    }
