"""Looking into the tables without Spark: deltalake says which files, DuckDB queries them. Read-only by construction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from streaming_app.errors import QueryError
from streaming_app.model.tables import TABLES, Table
from streaming_app.tables.delta import Sink, live_files
from streaming_app.tables.files import LiveFile

if TYPE_CHECKING:
    import pyarrow.dataset as ds

Ask = Callable[[str], pa.Table]
"""Gives the result of a SELECT; QueryError where DuckDB refuses it: a mistake, or an attempt to read or write anything else."""
Snapshot = Mapping[str, list[LiveFile]]
"""Files of some tables, by the table's name."""


def snapshot(sink: Sink, tables: Iterable[Table] = TABLES.values()) -> dict[str, list[LiveFile]]:
    """All files of the newest versions. A table that the lake's version of this application did not have yet has none.

    Raises:
        SinkError: none of the tables is there, or one cannot be read.
    """
    chosen = list(tables)
    found = {table.name: _files(sink, table) for table in chosen}
    if chosen and all(files is None for files in found.values()):
        sink.open(chosen[0])  # which says so
    return {name: files or [] for name, files in found.items()}


def _files(sink: Sink, table: Table) -> list[LiveFile] | None:
    """Files of a table, None where it is not there."""
    found = sink.find(table)
    return None if found is None else live_files(found)


def dataset(sink: Sink, table: Table, files: Iterable[LiveFile] | None = None) -> ds.Dataset:
    """Some files of a table, by default all of its newest version; partition columns come from the Delta log."""
    import pyarrow.dataset as ds  # noqa: PLC0415 - it imports pandas, a second that commands without a look need not pay

    system, root = sink.storage.filesystem(sink.uri(table))
    parquet = ds.ParquetFileFormat()
    fragments = []
    for file in live_files(sink.open(table)) if files is None else files:
        known = ds.scalar(True)
        for name, value in file.partition.items():
            known = known & (ds.field(name) == pa.scalar(value).cast(table.schema.field(name).type))
        fragments.append(parquet.make_fragment(f"{root}/{file.path}", system, partition_expression=known))
    return ds.FileSystemDataset(fragments, table.schema, parquet, system)


@contextmanager
def asking(sink: Sink, files: Snapshot) -> Iterator[Ask]:
    """Questions about the tables of a snapshot, each under its own name."""
    hint = f"tables are {', '.join(files)}; the dialect is DuckDB's"
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        for name, chosen in files.items():
            connection.register(name, dataset(sink, TABLES[name], chosen))
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")

        def ask(sql: str) -> pa.Table:
            try:
                rows = connection.sql(sql)
                found = None if rows is None else rows.to_arrow_table()
            except duckdb.Error as error:
                raise QueryError(str(error).partition("\n")[0], hint) from None
            if found is None:
                raise QueryError("Query Error: that selects nothing", hint)
            return found

        yield ask


def query(sink: Sink, sql: str) -> pa.Table:
    """The result of a SELECT over the tables, each under its own name.

    Raises:
        QueryError: DuckDB refuses it: a mistake, or an attempt to read or write anything but the tables.
        SinkError: there are no tables, or one cannot be read.
    """
    with asking(sink, snapshot(sink)) as ask:
        return ask(sql)
