"""Looking into the tables without Spark: deltalake says which files, DuckDB queries them. Read-only by construction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from streaming_app.errors import QueryError
from streaming_app.model.tables import TABLES, Table
from streaming_app.tables.delta import Sink, live_files

if TYPE_CHECKING:
    import pyarrow.dataset as ds


def dataset(sink: Sink, table: Table) -> ds.Dataset:
    """The newest version of a table; partition columns come from the Delta log."""
    import pyarrow.dataset as ds  # noqa: PLC0415 - it imports pandas, a second that commands without a look need not pay

    system, root = sink.storage.filesystem(sink.uri(table))
    parquet = ds.ParquetFileFormat()
    fragments = []
    for file in live_files(sink.open(table)):
        known = ds.scalar(True)
        for name, value in file.partition.items():
            known = known & (ds.field(name) == pa.scalar(value).cast(table.schema.field(name).type))
        fragments.append(parquet.make_fragment(f"{root}/{file.path}", system, partition_expression=known))
    return ds.FileSystemDataset(fragments, table.schema, parquet, system)


def query(sink: Sink, sql: str) -> pa.Table:
    """The result of a SELECT over the tables, each under its own name.

    Raises:
        QueryError: DuckDB refuses it: a mistake, or an attempt to read or write anything but the tables.
        SinkError: a table is not there.
    """
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        for table in TABLES.values():
            connection.register(table.name, dataset(sink, table))
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        hint = f"tables are {', '.join(TABLES)}; the dialect is DuckDB's"
        try:
            rows = connection.sql(sql)
            found = None if rows is None else rows.to_arrow_table()
        except duckdb.Error as error:
            raise QueryError(str(error).partition("\n")[0], hint) from None
        if found is None:
            raise QueryError("Query Error: that selects nothing", hint)
        return found
