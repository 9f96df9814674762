"""Fills the columns that files of older table layouts lack, by writing these files again: the same rows, no data change.

Which files these are follows from the tables' logs, which have the smallest and the largest day of the rows of today's files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.older_rows import day_column
from streaming_app.lake.rewrite import rewrite
from streaming_app.model.tables import TABLES, Table

PART_BYTES = 128 << 20
"""Stored bytes that are written again in one commit, but for larger files: half a minute's work, which a kill may cost."""


@dataclass(frozen=True)
class OlderFiles:
    """Files of one partition that lack columns, to be exchanged in one commit."""

    table: str
    files: list[DataFile]

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def partition(self) -> dict[str, str]:
        return self.files[0].partition

    def __str__(self) -> str:
        return f"{self.table}{''.join(f' {name}={value}' for name, value in self.partition.items())}"


def find_older_files(lake: Lake, table: Table) -> list[OlderFiles]:
    """The files of a table that lack the columns of today's layout, in parts of one partition and about :data:`PART_BYTES`.

    Raises:
        SinkError: the table does not exist.
    """
    return list(_parts(table, _older_files(lake, table)))


def _older_files(lake: Lake, table: Table) -> list[DataFile]:
    day = day_column(table)
    if day is None:
        return []
    target = lake.open(table)
    log = pa.table(target.get_add_actions(flatten=True))
    is_older = [_is_unknown(log, f"min.{day}"), _is_null(log, f"null_count.{day}")]
    older = pc.or_(*is_older)
    return [file for file, each in zip(live_files(target), older.to_pylist(), strict=True) if each]


def _is_unknown(log: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in log.column_names:  # no file has the column
        return pa.chunked_array([pa.repeat(True, len(log))])
    return pc.is_null(log[name])


def _is_null(log: pa.Table, name: str) -> pa.ChunkedArray:
    """Whether some rows of a file have null: another program may have merged files of both layouts."""
    if name not in log.column_names:
        return pa.chunked_array([pa.repeat(False, len(log))])
    return pc.fill_null(pc.greater(log[name], 0), False)


def _parts(table: Table, files: list[DataFile]) -> Iterator[OlderFiles]:
    part: list[DataFile] = []
    for file in sorted(files, key=lambda each: sorted(each.partition.items())):
        if part and (file.partition != part[0].partition or sum(each.size for each in part) + file.size > PART_BYTES):
            yield OlderFiles(table.name, part)
            part = []
        part.append(file)
    if part:
        yield OlderFiles(table.name, part)


def write_filled(lake: Lake, older: OlderFiles) -> list[DataFile]:
    """Write the rows of some files again, with all columns; one row group is in memory at a time."""
    return rewrite(lake, TABLES[older.table], older.files, lambda _file, _first, rows: rows, "filled")


def exchange_filled(lake: Lake, older: OlderFiles, filled: list[DataFile]) -> None:
    """Commit filled files in place of the older ones.

    Raises:
        LockError: this process may no longer write.
        SinkError: it could not be written.
    """
    commit(lake, TABLES[older.table], TableChange([], older.files, filled), TransactionId.unique("fill"))
