"""Converts typed rows to Arrow, column by column, and applies the rules for whole columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.model.client_text import cut
from streaming_app.model.coerce import COERCE
from streaming_app.model.columns import Column
from streaming_app.model.times import LATEST_MS

_PYTHON_TYPES = {"string": str, "bigint": int, "int": int, "double": float, "boolean": bool}


Misfits = list[tuple[int, str, Any]]
"""Values that do not fit their column: row, column and what was sent."""


def to_columns(rows: Sequence[tuple[Any, ...]], columns: Sequence[Column], misfits: Misfits | None = None) -> list[pa.Array]:
    """Arrays for the first ``len(columns)`` positions of each row; a value that does not fit its type becomes null, and is
    added to ``misfits``."""
    noted = [] if misfits is None else misfits
    return [_array(values, column, noted) for values, column in zip(zip(*rows, strict=True), columns, strict=False)]


def _array(values: Sequence[Any], column: Column, misfits: Misfits) -> pa.Array:
    if values[0] is None and values.count(None) == len(values):
        return pa.nulls(len(values), column.arrow)  # true of every second column, and ten times as fast
    try:
        array = pa.array(values, column.arrow)
    except (pa.ArrowException, OverflowError, UnicodeError):
        kept = [_fit_value(value, column) for value in values]
        pairs = enumerate(zip(values, kept, strict=True))
        misfits += [(row, column.name, sent) for row, (sent, read) in pairs if read is None and sent is not None]
        array = pa.array(kept, column.arrow)
    if column.max_bytes is not None and not column.is_json:
        array = shorten_text(array, column.max_bytes)
    return array


def _fit_value(value: Any, column: Column) -> Any:
    """The value in the column's type, converted if possible, else None."""
    read = COERCE[_PYTHON_TYPES[column.type]](value)
    if isinstance(read, str):
        read = read.encode("utf-8", "replace").decode()
    try:
        pa.scalar(read, column.arrow)
    except (pa.ArrowException, OverflowError):
        return None
    return read


def shorten_text(array: pa.Array, max_bytes: int) -> pa.Array:
    """Cut each text to ``max_bytes`` of UTF-8 without splitting a character; the same array where all fit."""
    longest = pc.max(pc.binary_length(array)).as_py()
    if longest is None or longest <= max_bytes:
        return array
    return pa.array([None if text is None else cut(text, max_bytes) for text in array.to_pylist()], pa.string())


def one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The values as one array; a single chunk is returned without the copy that ``combine_chunks`` makes."""
    if isinstance(column, pa.Array):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def as_timestamp(epoch_ms: pa.Array) -> pa.Array:
    """Epoch milliseconds as a UTC timestamp in microseconds."""
    return epoch_ms.cast(pa.timestamp("ms", tz="UTC")).cast(pa.timestamp("us", tz="UTC"))


def as_date(timestamp: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """The day of a timestamp, UTC."""
    return timestamp.cast(pa.timestamp("us")).cast(pa.date32())


def day_received(epoch_ms: pa.ChunkedArray, otherwise: pa.ChunkedArray) -> pa.ChunkedArray:
    """The day of a receive time, UTC; where it is not known, or no time that a server can have had, that of another timestamp."""
    is_time = pc.and_(pc.greater_equal(epoch_ms, 0), pc.less_equal(epoch_ms, LATEST_MS))
    known = pc.if_else(is_time, epoch_ms, pa.scalar(None, pa.int64()))
    return as_date(pc.coalesce(as_timestamp(known), otherwise))


def to_rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows as Python values; dates and times beyond Python's calendar, which older versions accepted, as text."""
    readable = pa.table([_readable(column) for column in table.columns], names=table.column_names)
    rows: list[dict[str, Any]] = readable.to_pylist()
    return rows


def _readable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_temporal(column.type) or not len(column):
        return column
    try:
        [extreme.as_py() for extreme in pc.min_max(column).values()]
    except (OverflowError, ValueError):
        return column.cast(pa.string())
    return column


def as_epoch_ms(time: pa.ChunkedArray) -> pa.ChunkedArray:
    """A timestamp as epoch milliseconds."""
    return time.cast(pa.timestamp("ms", tz="UTC"), safe=False).cast(pa.int64())


def drop_largest(text: str, max_bytes: int) -> tuple[str, list[str]]:
    """Drop the largest values of a JSON object until it fits ``max_bytes``; returns the text and the names of the dropped values.

    Linear in the size of the text, except for one sort, however many small values are dropped.
    """
    size = len(text.encode())
    if size <= max_bytes:
        return text, []
    fields = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in msgspec.json.decode(text).items()}
    dropped = []
    for name in sorted(fields, key=lambda each: len(bytes(fields[each])), reverse=True):
        if size <= max_bytes:
            break
        dropped.append(name)
        size -= len(msgspec.json.encode(name)) + len(bytes(fields.pop(name))) + len(":,")
    return msgspec.json.encode(fields).decode(), dropped
