"""Running the rules' SQL over Arrow tables: one DuckDB connection per call, one thread, no files, no extensions."""

from __future__ import annotations

import duckdb
import pyarrow as pa


def query(sql: str, **tables: pa.Table) -> pa.Table:
    """The result of ``sql``, in which each keyword is a table."""
    # One thread: Spark runs one task per core already. Without a directory it would write to the current one.
    with duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False, "temp_directory": ""}) as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(sql).to_arrow_table()
