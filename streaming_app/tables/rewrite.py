"""Writing a Parquet file again without some of its rows: the only way a copy leaves a file."""

from __future__ import annotations

import uuid

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.model.tables import Table
from streaming_app.storage import Storage
from streaming_app.tables.files import WrittenFile
from streaming_app.tables.parquet import PartitionWriter
from streaming_app.tables.rows import conformed


def without_rows(
    table: Table, root: str, path: str, partition: dict[str, str], lost: pa.Array, storage: Storage
) -> list[WrittenFile]:
    """The file's rows but for those where ``lost`` is true, in a new file; [] where nothing is left."""
    system, base = storage.filesystem(root)
    writer = PartitionWriter(table, root, storage, f"rewrite-{uuid.uuid4().hex[:8]}")
    with pq.ParquetFile(f"{base}/{path}", filesystem=system) as file:
        first = 0
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group)
            kept = rows.filter(pc.invert(lost.slice(first, len(rows))))
            writer.add(with_partition(kept, table, partition))
            first += len(rows)
    return writer.close()


def with_partition(rows: pa.Table, table: Table, partition: dict[str, str]) -> pa.Table:
    """Rows of a data file with their partition columns, in the table's schema."""
    for name in table.partition_by:
        value = pa.scalar(partition[name]).cast(table.schema.field(name).type)
        rows = rows.append_column(name, pa.repeat(value, len(rows)))
    return conformed(rows, table.schema)


def row_mask(rows: int, positions: pa.Array) -> pa.Array:
    """True at the given positions."""
    return pc.is_in(pa.array(range(rows), pa.int64()), positions.cast(pa.int64()))
