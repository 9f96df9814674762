"""Columns of an Arrow table that may not have them yet."""

from __future__ import annotations

import pyarrow as pa


def column(events: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    """A column in a type; nulls where there is none."""
    if name in events.column_names:
        return events.column(name).cast(kind)
    return pa.chunked_array([pa.nulls(events.num_rows, kind)])


def with_column(events: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    """The table with a column replaced, or added at the end."""
    if name in events.column_names:
        return events.set_column(events.column_names.index(name), name, values)
    return events.append_column(name, values)
