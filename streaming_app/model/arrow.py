"""From typed rows to Arrow: one conversion per column, then the rules that hold for whole columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.model.coerce import COERCE
from streaming_app.model.columns import Column
from streaming_app.model.shorten import cut, shorten_text

_PYTHON_TYPES = {"string": str, "bigint": int, "int": int, "double": float, "boolean": bool}


def to_columns(rows: Sequence[tuple[Any, ...]], columns: Sequence[Column]) -> list[pa.Array]:
    """Arrays for the first ``len(columns)`` positions of each row; a value that does not fit its type becomes null."""
    return [_array(values, column) for values, column in zip(zip(*rows, strict=True), columns, strict=False)]


def _array(values: Sequence[Any], column: Column) -> pa.Array:
    if values[0] is None and values.count(None) == len(values):
        return pa.nulls(len(values), column.arrow)  # as every second column is: a tenth of the time
    try:
        array = pa.array(values, column.arrow)
    except (pa.ArrowException, OverflowError, UnicodeError):
        array = pa.array([_fitted(value, column) for value in values], column.arrow)
    if column.max_bytes is not None and not column.is_json:
        array = shorten_text(array, column.max_bytes)
    return array


def _fitted(value: Any, column: Column) -> Any:
    """The value if it fits, read tolerantly if it can be, else None."""
    read = COERCE[_PYTHON_TYPES[column.type]](value)
    if isinstance(read, str):
        read = read.encode("utf-8", "replace").decode()
    try:
        pa.scalar(read, column.arrow)
    except (pa.ArrowException, OverflowError):
        return None
    return read


def one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The values in one piece; a column of one chunk as it is, which ``combine_chunks`` would copy."""
    if isinstance(column, pa.Array):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def as_timestamp(epoch_ms: pa.Array) -> pa.Array:
    """Epoch milliseconds as a UTC timestamp in microseconds."""
    return epoch_ms.cast(pa.timestamp("ms", tz="UTC")).cast(pa.timestamp("us", tz="UTC"))


def as_epoch_ms(time: pa.ChunkedArray) -> pa.ChunkedArray:
    """A timestamp as epoch milliseconds."""
    return time.cast(pa.timestamp("ms", tz="UTC"), safe=False).cast(pa.int64())


def drop_largest(text: str, max_bytes: int) -> tuple[str, list[str]]:
    """A JSON object without its largest values, so that it fits; and the names of what was dropped.

    Linear in the size of the text (but for one sort), however many small values have to go.
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


_NAMED = 20
"""So many of the dropped values are named; a hostile event may have thousands."""


def fit_json(table: dict[str, pa.Array], columns: Sequence[Column]) -> None:
    """Shorten JSON text that is too long in place; what was dropped is named in ``process_info`` of the same row."""
    for column in columns:
        if not column.is_json or column.max_bytes is None or column.name == "process_info":
            continue
        lengths = pc.binary_length(table[column.name])
        if (pc.max(lengths).as_py() or 0) > column.max_bytes:
            _fit_column(table, column, lengths)


def _fit_column(table: dict[str, pa.Array], column: Column, lengths: pa.Array) -> None:
    texts, infos = table[column.name].to_pylist(), table["process_info"].to_pylist()
    for row, length in enumerate(lengths.to_pylist()):
        if length is not None and length > (column.max_bytes or 0):
            texts[row], dropped = drop_largest(texts[row], column.max_bytes or 0)
            info = msgspec.json.decode(infos[row]) if infos[row] else {}
            info.setdefault("dropped", {})[column.name] = {
                "count": len(dropped),
                "names": [cut(name, 255) for name in dropped[:_NAMED]],
            }
            infos[row] = msgspec.json.encode(info).decode()
    table[column.name] = pa.array(texts, pa.string())
    table["process_info"] = pa.array(infos, pa.string())
