"""Runs SQL over Arrow tables, in DuckDB databases in memory without access to files or extensions."""

from __future__ import annotations

import atexit
import os
from functools import cache
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

if TYPE_CHECKING:
    import pyarrow.dataset as ds


def query(sql: str, **tables: pa.Table) -> pa.Table:
    """Run ``sql``, in which each keyword argument is a table, on one thread, since Spark runs one task per core."""
    return _query(1, sql, tables)


def query_on_all_cores(sql: str, **tables: pa.Table | ds.Dataset) -> pa.Table:
    """Run ``sql`` on all cores, where no other task runs."""
    return _query(os.cpu_count() or 1, sql, tables)


def _query(threads: int, sql: str, tables: dict[str, pa.Table | ds.Dataset]) -> pa.Table:
    with _database(os.getpid(), threads).cursor() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(sql).to_arrow_table()


@cache
def _database(_process: int, threads: int) -> duckdb.DuckDBPyConnection:
    """An empty database, kept open: opening one takes ten times longer than most queries. A forked process opens its own."""
    opened = duckdb.connect(
        config={
            "threads": threads,
            "TimeZone": "UTC",
            "autoinstall_known_extensions": False,
            "temp_directory": "",  # otherwise data that does not fit the memory would be written to the working directory
        }
    )
    atexit.register(_database.cache_clear)
    return opened
