"""Reading rows of data files, whichever version of the layout wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from streaming_app.model.tables import Table
from streaming_app.storage import Storage
from streaming_app.tables.delta import Sink
from streaming_app.tables.files import AnyFile

_BATCH_ROWS = 16_384


def read_batches(sink: Sink, table: Table, file: AnyFile, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Some columns of a file, a part at a time in the file's order; columns that it does not have are null."""
    system, root = sink.storage.filesystem(sink.uri(table))
    schema = pa.schema([table.schema.field(name) for name in columns])
    with pq.ParquetFile(f"{root}/{file.path}", filesystem=system) as parquet:
        present = [name for name in columns if name in parquet.schema_arrow.names]
        for batch in parquet.iter_batches(_BATCH_ROWS, columns=present):
            yield conformed(pa.Table.from_batches([batch]), schema)


def read_columns(uri: str, columns: Sequence[str] | None, storage: Storage) -> pa.Table:
    """Some columns of a whole Parquet file, or all."""
    system, path = storage.filesystem(uri)
    return pq.read_table(path, columns=columns and list(columns), filesystem=system, partitioning=None)


def conformed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows with the schema's columns, in its order; those they do not have are null."""
    for field in schema:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
    return rows.select(schema.names).cast(schema)
