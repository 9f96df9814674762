"""Rewrites data files, which is the only way to remove or change rows in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.lake.files import DataFile
from streaming_app.lake.id_index import IdIndex, is_indexed
from streaming_app.lake.lake import Lake
from streaming_app.lake.older_rows import complete_rows
from streaming_app.lake.parquet import UNIQUE, PartitionWriter
from streaming_app.lake.rows import RowMask, column_names, conform_to_schema, iter_row_groups
from streaming_app.model.lineage import LINEAGE
from streaming_app.model.tables import Table

RowTransform = Callable[[DataFile, int, pa.Table], pa.Table]
"""Gets a file, the index of a row in it, and rows of the file from that one on; returns the rows to be written in their place."""


def rewrite(
    lake: Lake, table: Table, files: Iterable[DataFile], transform: RowTransform, name: str, new_rows: pa.Table | None = None
) -> list[DataFile]:
    """Rewrite some files, one row group at a time, together with new rows; nothing is committed.

    ``name`` is the prefix of the new files' names. Files of one partition are merged.
    """
    writer = PartitionWriter(table, lake.uri(table), lake.storage, name)
    for file in files:
        for first, rows in read_row_groups(lake, table, file):
            writer.add(transform(file, first, rows))
    if new_rows is not None:
        writer.add(new_rows)
    return writer.close()


def read_row_groups(lake: Lake, table: Table, file: DataFile, mask: RowMask | None = None) -> Iterator[tuple[int, pa.Table]]:
    """The row groups of a data file, in the table's schema, each with the index of its first row; only those with a row where
    ``mask`` is true, if given."""
    for first, rows in iter_row_groups(lake, table, file, mask=mask):
        yield first, add_partition_columns(rows, table, file.partition)


def without_rows(lake: Lake, table: Table, file: DataFile, mask: pa.Array) -> list[DataFile]:
    """Write a file's rows to a new file, except those where ``mask`` is true; returns [] if no row is left.

    Texts stay dictionary-encoded as they are stored, which takes half the time; nothing of a dropped row stays in a dictionary.
    Rows of an older layout are read in full, so that they are brought up to date.
    """
    if not set(column_names(lake, table, file)).issuperset(table.file_schema.names):
        return rewrite(lake, table, [file], drop_rows({file.path: mask}), "rewrite")
    writer = PartitionWriter(table, lake.uri(table), lake.storage, "rewrite")
    partition = tuple((name, file.partition[name]) for name in table.partition_by)
    keep = pc.invert(mask)
    for first, rows in iter_row_groups(lake, table, file, as_dictionaries=_dictionary_columns(table)):
        kept = complete_rows(table, rows.filter(keep.slice(first, len(rows))))
        if len(kept):
            writer.add_row_group(partition, compact_dictionaries(conform_to_schema(kept, table.file_schema, keep_encoded=True)))
    return writer.close()


def _dictionary_columns(table: Table) -> list[str]:
    """The text columns that are stored with a dictionary, without those of statistics, whose values are compared, and those of
    the lineage, which are completed where another program has merged files of older layouts."""
    plain = UNIQUE.union(table.stats_columns, LINEAGE)
    return [field.name for field in table.file_schema if pa.types.is_string(field.type) and field.name not in plain]


def compact_dictionaries(rows: pa.Table) -> pa.Table:
    """The rows without the values of their dictionaries that no row has."""
    for number, column in enumerate(rows.columns):
        if pa.types.is_dictionary(column.type):
            chunks = [_compact_dictionary(chunk) for chunk in column.chunks]
            rows = rows.set_column(number, rows.schema.field(number), pa.chunked_array(chunks, column.type))
    return rows


def _compact_dictionary(values: pa.DictionaryArray) -> pa.DictionaryArray:
    used = np.zeros(len(values.dictionary), bool)
    used[values.indices.drop_null().to_numpy()] = True
    if used.all():
        return values
    renumbered = pa.array(np.cumsum(used) - 1, values.indices.type)
    return pa.DictionaryArray.from_arrays(renumbered.take(values.indices), values.dictionary.filter(pa.array(used)))


def drop_rows(masks: Mapping[str, pa.Array]) -> RowTransform:
    """Drop the rows where the mask of their file, by its path, is true."""

    def keep_others(file: DataFile, first: int, rows: pa.Table) -> pa.Table:
        return rows.filter(pc.invert(masks[file.path].slice(first, len(rows))))

    return keep_others


def delete_data_file(lake: Lake, table: Table, path: str) -> None:
    """Delete a data file that no commit names, and its index file."""
    lake.storage.delete(f"{lake.uri(table)}/{path}")
    if is_indexed(table):
        IdIndex(lake.uri(table), lake.storage).delete(path)


def add_partition_columns(rows: pa.Table, table: Table, partition: dict[str, str]) -> pa.Table:
    """Rows of a data file with their partition columns, in the table's schema."""
    for name in table.partition_by:
        value = pa.scalar(partition[name]).cast(table.schema.field(name).type)
        rows = rows.append_column(name, pa.repeat(value, len(rows)))
    return conform_to_schema(complete_rows(table, rows), table.schema)


def row_mask(rows: int, indices: pa.Array) -> pa.Array:
    """A mask that is true at the given row indices."""
    return pc.is_in(pa.array(range(rows), pa.int64()), indices.cast(pa.int64()))
