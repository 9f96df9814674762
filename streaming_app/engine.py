"""Running the rules' SQL over Arrow tables: a DuckDB database in each process, one thread, no files, no extensions."""

from __future__ import annotations

import atexit
import os
from functools import cache

import duckdb
import pyarrow as pa


def query(sql: str, **tables: pa.Table) -> pa.Table:
    """The result of ``sql``, in which each keyword is a table that no other call sees."""
    with _database(os.getpid()).cursor() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(sql).to_arrow_table()


@cache
def _database(_process: int) -> duckdb.DuckDBPyConnection:
    """Empty. To open one takes ten times longer than most queries; a process that was forked opens its own."""
    # One thread: Spark runs one task per core already.
    opened = duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False, "TimeZone": "UTC"})
    atexit.register(_database.cache_clear)
    return opened
