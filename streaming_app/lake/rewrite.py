"""Writing a data file again without some of its rows: the only way a copy leaves a file."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.lake.files import AnyFile, WrittenFile
from streaming_app.lake.lake import Lake
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.rows import conform_to_schema
from streaming_app.model.tables import Table


def row_groups(lake: Lake, table: Table, file: AnyFile) -> Iterator[tuple[int, pa.Table]]:
    """All rows of a data file, in the table's schema: each row group with the position of its first row."""
    system, root = lake.storage.filesystem(lake.uri(table))
    with pq.ParquetFile(f"{root}/{file.path}", filesystem=system, pre_buffer=True) as parquet:
        first = 0
        for group in range(parquet.num_row_groups):
            rows = with_partition(parquet.read_row_group(group), table, file.partition)
            yield first, rows
            first += len(rows)


def without_rows(lake: Lake, table: Table, file: AnyFile, lost: pa.Array) -> list[WrittenFile]:
    """The file's rows but for those where ``lost`` is true, in a new file; [] where nothing is left."""
    writer = PartitionWriter(table, lake.uri(table), lake.storage, "rewrite")
    for first, rows in row_groups(lake, table, file):
        writer.add(rows.filter(pc.invert(lost.slice(first, len(rows)))))
    return writer.close()


def with_partition(rows: pa.Table, table: Table, partition: dict[str, str]) -> pa.Table:
    """Rows of a data file with their partition columns, in the table's schema."""
    for name in table.partition_by:
        value = pa.scalar(partition[name]).cast(table.schema.field(name).type)
        rows = rows.append_column(name, pa.repeat(value, len(rows)))
    return conform_to_schema(rows, table.schema)


def row_mask(rows: int, positions: pa.Array) -> pa.Array:
    """True at the given positions."""
    return pc.is_in(pa.array(range(rows), pa.int64()), positions.cast(pa.int64()))
