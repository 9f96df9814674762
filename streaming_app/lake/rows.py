"""Reads rows of data files of any layout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake
from streaming_app.model.lineage import LINEAGE, LINEAGE_COLUMNS
from streaming_app.model.tables import Table
from streaming_app.storage.files import Storage

RowMask: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"

_BATCH_ROWS = 16_384
_BATCH_ROWS_OF_LONG_TEXTS = 256
"""Rows that are read at a time if one of the columns may hold a megabyte of text in each row."""


def read_batches(
    lake: Lake, table: Table, file: DataFile, columns: Sequence[str], *, lineage: bool = False
) -> Iterator[pa.Table]:
    """Read some columns of a file in batches, in the file's order; columns that it does not have are null. With ``lineage``
    also those that the readers of :mod:`streaming_app.model.lineage` need."""
    system, root = lake.storage.filesystem(lake.uri(table))
    with pq.ParquetFile(f"{root}/{file.path}", filesystem=system) as parquet:
        columns = [*columns, *(lineage_columns(parquet) if lineage else ())]
        schema = pa.schema([table.schema.field(name) for name in columns])
        present = [name for name in columns if name in parquet.schema_arrow.names]
        has_long_texts = not table.unbounded_columns.isdisjoint(present)
        for batch in parquet.iter_batches(_BATCH_ROWS_OF_LONG_TEXTS if has_long_texts else _BATCH_ROWS, columns=present):
            yield conform_to_schema(pa.Table.from_batches([batch]), schema)


def iter_row_groups(
    lake: Lake,
    table: Table,
    file: DataFile,
    columns: Sequence[str] | None = None,
    mask: RowMask | None = None,
    *,
    lineage: bool = False,
    as_dictionaries: Sequence[str] = (),
) -> Iterator[tuple[int, pa.Table]]:
    """Read the row groups of a file, each with the index of its first row; only those with a row where ``mask``, which has a
    value for each row of the file, is true. With ``lineage``, also the columns that its readers need, where not all
    are read. Some text columns may be read dictionary-encoded, as they are stored."""
    system, root = lake.storage.filesystem(lake.uri(table))
    encoded = list(as_dictionaries) or None
    with pq.ParquetFile(f"{root}/{file.path}", filesystem=system, pre_buffer=True, read_dictionary=encoded) as parquet:
        if columns is not None and lineage:
            columns = [*columns, *lineage_columns(parquet)]
        first = 0
        for group in range(parquet.num_row_groups):
            count = parquet.metadata.row_group(group).num_rows
            if mask is None or mask[first : first + count].any():
                yield first, parquet.read_row_group(group, columns=columns and list(columns))
            first += count


def column_names(lake: Lake, table: Table, file: DataFile) -> list[str]:
    """The columns that a file has; one of an older layout may lack some."""
    system, root = lake.storage.filesystem(lake.uri(table))
    return list(pq.read_schema(f"{root}/{file.path}", filesystem=system).names)


def in_chunks(batches: Iterable[pa.RecordBatch], max_rows: int, max_bytes: int) -> Iterator[pa.Table]:
    """Concatenate batches to tables of about so many rows or bytes."""
    chunk: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        chunk.append(batch)
        rows, size = rows + len(batch), size + batch.nbytes
        if rows >= max_rows or size >= max_bytes:
            yield pa.Table.from_batches(chunk)
            chunk, rows, size = [], 0, 0
    if chunk:
        yield pa.Table.from_batches(chunk)


def read_columns(uri: str, columns: Sequence[str] | None, storage: Storage) -> pa.Table:
    """Read some or all columns of a whole Parquet file."""
    system, path = storage.filesystem(uri)
    return pq.read_table(path, columns=columns and list(columns), filesystem=system, partitioning=None)


def read_with_lineage(uri: str, columns: Sequence[str], storage: Storage) -> pa.Table:
    """Read some columns of a whole file of ``event``, ``item`` or ``change``, and those that its lineage needs."""
    system, path = storage.filesystem(uri)
    with pq.ParquetFile(path, filesystem=system, pre_buffer=True) as parquet:
        return parquet.read(columns=[*columns, *lineage_columns(parquet)])


def lineage_columns(parquet: pq.ParquetFile) -> list[str]:
    """The columns of a file that the readers of :mod:`streaming_app.model.lineage` need, by its footer: ``process_info``, by far
    the largest, only where the file has rows of an older layout."""
    names = parquet.schema_arrow.names
    if LINEAGE[1] in names:
        position, metadata = names.index(LINEAGE[1]), parquet.metadata
        chunks = (metadata.row_group(group).column(position) for group in range(metadata.num_row_groups))
        if all(each.is_stats_set and each.statistics.has_null_count and not each.statistics.null_count for each in chunks):
            return list(LINEAGE)
    return [name for name in LINEAGE_COLUMNS if name in names]


def conform_to_schema(rows: pa.Table, schema: pa.Schema, *, keep_encoded: bool = False) -> pa.Table:
    """Rows with the schema's columns, in its order; missing columns are null.

    With ``keep_encoded``, texts that are dictionary-encoded stay so.
    """
    for number, field in enumerate(schema):
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
        elif keep_encoded and pa.types.is_dictionary(encoded := rows.schema.field(field.name).type):
            schema = schema.set(number, field.with_type(encoded))
    return rows.select(schema.names).cast(schema)
