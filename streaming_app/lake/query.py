"""Queries the tables without Spark: deltalake lists the files, DuckDB reads them. Read-only by construction."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from streaming_app.errors import QueryError
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.model.tables import TABLES, Table

if TYPE_CHECKING:
    import pyarrow.dataset as ds

Query = Callable[[str], pa.Table]
"""Returns the result of a SELECT; raises QueryError if DuckDB refuses it: a mistake, or access to anything but the tables."""
Snapshot = Mapping[str, list[DataFile]]
"""Files of some tables, by the table's name."""


def snapshot(lake: Lake, tables: Iterable[Table] = TABLES.values()) -> dict[str, list[DataFile]]:
    """The files of the newest version of each table; none for a table that the version which created the lake did not have yet.

    Raises:
        SinkError: none of the tables exists, or one cannot be read.
    """
    chosen = list(tables)
    found = {table.name: _files(lake, table) for table in chosen}
    if chosen and all(files is None for files in found.values()):
        lake.open(chosen[0])  # raises the error that there is no such table
    return {name: files or [] for name, files in found.items()}


def _files(lake: Lake, table: Table) -> list[DataFile] | None:
    """Files of a table; None if it does not exist."""
    found = lake.find(table)
    return None if found is None else live_files(found)


def dataset(lake: Lake, table: Table, files: Iterable[DataFile] | None = None) -> ds.Dataset:
    """A dataset of some files of a table, by default all of its newest version; partition columns come from the Delta log."""
    import pyarrow.dataset as ds  # noqa: PLC0415 - it imports pandas, a second that commands without a look need not pay

    system, root = lake.storage.filesystem(lake.uri(table))
    parquet = ds.ParquetFileFormat()
    fragments = []
    for file in live_files(lake.open(table)) if files is None else files:
        known = ds.scalar(True)
        for name, value in known_values(table, file).items():
            known = known & (ds.field(name) == value)
        fragments.append(parquet.make_fragment(f"{root}/{file.path}", system, partition_expression=known))
    return ds.FileSystemDataset(fragments, table.schema, parquet, system)


def known_values(table: Table, file: DataFile) -> dict[str, pa.Scalar]:
    """Values that all rows of a file have, by column: those of its partition, and so its day, which is no column in files of
    table layouts 1 and 2."""
    known = {name: pa.scalar(value).cast(table.schema.field(name).type) for name, value in file.partition.items()}
    if "event_date" in table.schema.names:
        known["event_date"] = pa.scalar(file.day)
    return known


@dataclass(frozen=True)
class QueryLimits:
    """Limits on one statement of a user."""

    seconds: float = 300
    memory_mb: int = 4_000
    """Memory of DuckDB; up to ten times as much is spilled to a private directory, which is deleted."""
    rows: int = 100_000
    """Rows of the result."""


@contextmanager
def query_session(lake: Lake, files: Snapshot, limits: QueryLimits | None = None) -> Iterator[Query]:
    """Query the tables of a snapshot, each under its own name, in one DuckDB connection."""
    hint = f"tables are {', '.join(files)}; the dialect is DuckDB's"
    with (
        tempfile.TemporaryDirectory(prefix="clickstream-sql-") as spilled,
        duckdb.connect(config={"autoinstall_known_extensions": False, "temp_directory": spilled}) as connection,
    ):
        for name, chosen in files.items():
            connection.register(name, dataset(lake, TABLES[name], chosen))
        connection.execute("SET TimeZone = 'UTC'")
        if limits:
            connection.execute(f"SET memory_limit = '{limits.memory_mb}MB'")
            connection.execute(f"SET max_temp_directory_size = '{10 * limits.memory_mb}MB'")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")

        def ask(sql: str) -> pa.Table:
            try:
                found = _run_bounded(connection, sql, limits) if limits else _run_unbounded(connection, sql)
            except duckdb.OutOfMemoryException:
                raise QueryError(*_over_limit("needs more memory or disk", "--max-memory-mb", limits)) from None
            except duckdb.InterruptException:
                raise QueryError(*_over_limit("takes longer", "--max-seconds", limits)) from None
            except duckdb.Error as error:
                raise QueryError(str(error).partition("\n")[0], hint) from None
            if found is None:
                raise QueryError("Query Error: that selects nothing", hint)
            return found

        yield ask


def _run_unbounded(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table | None:
    rows = connection.sql(sql)
    return None if rows is None else rows.to_arrow_table()


_ROWS_AT_ONCE = 2_048
"""Rows that are read at a time: the size of DuckDB's vectors."""


def _run_bounded(connection: duckdb.DuckDBPyConnection, sql: str, limits: QueryLimits) -> pa.Table | None:
    """Run a statement and read its result in parts, so that a result that is too large is never in memory."""
    ends = time.monotonic() + limits.seconds
    timer = threading.Timer(limits.seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        rows: Any = connection.sql(sql)
        if rows is None:
            return None
        reader = rows.to_arrow_reader(_ROWS_AT_ONCE)
        parts: list[pa.RecordBatch] = []
        size, count = 0, 0
        for part in reader:
            parts.append(part)
            count += part.num_rows
            size += part.nbytes
            if count > limits.rows:
                raise QueryError(*_over_limit("has more rows", "--max-rows", limits))
            if size > limits.memory_mb * 1_000_000:
                raise QueryError(*_over_limit("has a larger result", "--max-memory-mb", limits))
            if time.monotonic() > ends:
                raise QueryError(*_over_limit("takes longer", "--max-seconds", limits))
        return pa.Table.from_batches(parts, reader.schema)
    finally:
        timer.cancel()


def _over_limit(what: str, option: str, limits: QueryLimits | None) -> tuple[str, str]:
    """Message and hint for a statement that exceeds a limit."""
    allowed = (
        {
            "--max-seconds": f" than {limits.seconds:,.0f} seconds",
            "--max-memory-mb": f" than {limits.memory_mb:,} MB",
            "--max-rows": f" than {limits.rows:,}",
        }
        if limits
        else {}
    )
    return f"Query Error: that {what}{allowed.get(option, '')}", f"select less, or allow more by {option}"


def query(lake: Lake, sql: str, limits: QueryLimits | None = None) -> pa.Table:
    """Run a SELECT over the tables, each under its own name.

    Raises:
        QueryError: DuckDB refuses it: a mistake, an attempt to read or write anything but the tables, or more than ``limits``.
        SinkError: there are no tables, or one cannot be read.
    """
    with query_session(lake, snapshot(lake), limits) as ask:
        return ask(sql)
