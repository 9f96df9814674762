"""What all checks get: one version of each table, and queries over some of its files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb

from streaming_app.backlog.derive_log import derive_is_behind
from streaming_app.config.model import Config
from streaming_app.environment import holder_of
from streaming_app.errors import SinkError
from streaming_app.lake.duckdb import query_on_all_cores
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake
from streaming_app.lake.lock.holder import Holder
from streaming_app.lake.query import Snapshot, dataset
from streaming_app.model.arrow import to_rows
from streaming_app.model.tables import TABLES, Table
from streaming_app.storage.any_objects import AnyObjects

MAX_ROWS_PER_QUERY = 2_000_000
"""Rows that are compared with each other at once, by their keys: DuckDB takes some 300 MB for as many."""

MAX_EXAMPLES = 3
"""Examples that a problem names."""


@dataclass(frozen=True)
class TableProblem:
    """Something that is wrong with a table, and the remedy."""

    table: str
    message: str
    remedy: str


class TableNote(TableProblem):
    """Something worth knowing that is not wrong."""


@dataclass(frozen=True)
class CheckContext:
    """What a check reads. ``files``: all files of each table; ``sample``: the number of users whose rows are computed again."""

    config: Config
    lake: Lake
    files: Snapshot
    sample: int

    def of(self, table: Table) -> list[DataFile]:
        return self.files[table.name]

    def rows(self, table: Table) -> int:
        return sum(file.rows for file in self.of(table))

    def query(self, sql: str, files: Snapshot) -> list[dict[str, Any]]:
        """Rows of a SELECT over some files of some tables.

        Raises:
            SinkError: a file cannot be read.
        """
        tables = {name: dataset(self.lake, TABLES[name], chosen) for name, chosen in files.items()}
        try:
            return to_rows(query_on_all_cores(sql, **tables))
        except duckdb.Error as error:
            raise SinkError(
                str(error).partition("\n")[0], "restore the file, or put back the table's version before it"
            ) from None

    @cached_property
    def active(self) -> Holder | None:
        """The process that writes to the tables now; None without one."""
        return holder_of(self.config, self.lake.storage)

    @cached_property
    def derive_is_behind(self) -> bool:
        return derive_is_behind(self.config, AnyObjects(self.config.s3.endpoint, self.config.s3.region))


def group_by_partition(files: Iterable[DataFile], *names: str) -> dict[tuple[str, ...], list[DataFile]]:
    """Files that share the values of some partition columns, ordered by these."""
    found: dict[tuple[str, ...], list[DataFile]] = {}
    for file in files:
        found.setdefault(tuple(file.partition[name] for name in names), []).append(file)
    return dict(sorted(found.items()))


def hash_conditions(rows: int) -> Iterator[str]:
    """SQL conditions that divide so many rows by the hash of ``key`` into parts that fit into memory."""
    count = -(-rows // MAX_ROWS_PER_QUERY)
    return (f"hash({{key}}) % {count} = {number}" for number in range(count))


def list_examples(values: Iterable[object]) -> str:
    """Some of many values, as text."""
    listed = list(values)
    return ", ".join(map(str, listed[:MAX_EXAMPLES])) + (", …" if len(listed) > MAX_EXAMPLES else "")
