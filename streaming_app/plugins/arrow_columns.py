"""Helpers for the Arrow tables of enrichers: columns are read and replaced by name, and reduced to their distinct values.

An enricher looks up each distinct value once, then takes the results row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from streaming_app.model.arrow import one_array

_LARGEST_KEY = 2**62


def column(events: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    """A column in the given type; all null if the table does not have it."""
    if name in events.column_names:
        return events.column(name).cast(kind)
    return pa.chunked_array([pa.nulls(events.num_rows, kind)])


def with_column(events: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    """The table with a column replaced, or added at the end."""
    if name in events.column_names:
        return events.set_column(events.column_names.index(name), name, values)
    return events.append_column(name, values)


def distinct(column: pa.ChunkedArray) -> tuple[list[Any], pa.Array]:
    """The distinct values of a column, including null, and for each row the index of its value among them.

    >>> distinct(pa.chunked_array([["a", None, "a"]]))[0]
    ['a', None]
    """
    encoded = one_array(column).dictionary_encode(null_encoding="encode")
    return encoded.dictionary.to_pylist(), encoded.indices


def distinct_rows(columns: Sequence[pa.ChunkedArray]) -> tuple[list[tuple[Any, ...]], pa.Array]:
    """The distinct combinations of the values of several columns, and for each row the index of its combination.

    >>> rows, which = distinct_rows([pa.chunked_array([["a", "b", "a"]]), pa.chunked_array([[1, 1, 1]])])
    >>> rows, which.to_pylist()
    ([('a', 1), ('b', 1)], [0, 1, 0])
    """
    encoded = [one_array(column).dictionary_encode(null_encoding="encode") for column in columns]
    codes = [each.indices.to_numpy(zero_copy_only=False) for each in encoded]
    key, size = codes[0].astype(np.int64), len(encoded[0].dictionary)
    for code, each in zip(codes[1:], encoded[1:], strict=True):
        width = len(each.dictionary)
        if size * width > _LARGEST_KEY:
            kinds, key = np.unique(key, return_inverse=True)
            size = len(kinds)
        key, size = key * width + code, size * max(width, 1)
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    values = [each.dictionary.take(pa.array(code[first])).to_pylist() for code, each in zip(codes, encoded, strict=True)]
    return list(zip(*values, strict=True)), pa.array(which)
