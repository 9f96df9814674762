"""Applies limits to whole columns: numbers outside of their bounds, JSON text that is too long. Every change is noted in the
row's ``process_info``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.model.arrow import Misfits, drop_largest
from streaming_app.model.client_text import cut
from streaming_app.model.columns import Column

Notes = dict[int, dict[str, Any]]
"""Row number to the notes for that row, by column."""

_NAMED = 20
"""Maximum number of dropped values that are named; a hostile event may have thousands."""

_SHOWN = 64
"""Characters of a value that is noted."""


def limit_columns(table: dict[str, pa.Array], columns: Sequence[Column]) -> None:
    """Apply the limits of all columns, in place."""
    bound_numbers(table, columns)
    fit_json(table, columns)


def bound_numbers(table: dict[str, pa.Array], columns: Sequence[Column]) -> None:
    """Replace numbers outside of their column's bounds by null, or by the nearer bound if the column is clamped."""
    for column in columns:
        if column.bounds is None:
            continue
        values = table[column.name]
        least, most = column.bounds
        extremes = pc.min_max(values).as_py()
        if extremes["min"] is None or (extremes["min"] >= least and extremes["max"] <= most):
            continue
        outside = pc.or_(pc.less(values, least), pc.greater(values, most))
        clamped = pc.max_element_wise(pc.min_element_wise(values, most), least)
        table[column.name] = pc.if_else(outside, clamped if column.is_clamped else pa.scalar(None, values.type), values)
        rows = pc.indices_nonzero(outside)
        sent = zip(rows.to_pylist(), values.take(rows).to_pylist(), strict=True)
        note(table, "out_of_range", {row: {column.name: value} for row, value in sent})


def note_misfits(table: dict[str, pa.Array], misfits: Misfits) -> None:
    """Note values that became null because they do not fit the type of their column."""
    found: Notes = {}
    for row, name, sent in misfits:
        found.setdefault(row, {})[name] = cut(str(sent), _SHOWN)
    note(table, "out_of_range", found)


def fit_json(table: dict[str, pa.Array], columns: Sequence[Column]) -> None:
    """Shorten JSON text that is too long by dropping its largest values; the dropped ones are named."""
    for column in columns:
        if column.is_json and column.max_bytes is not None and column.name != "process_info":
            lengths = pc.binary_length(table[column.name])
            if (pc.max(lengths).as_py() or 0) > column.max_bytes:
                _fit_column(table, column, pc.indices_nonzero(pc.greater(lengths, column.max_bytes)).to_pylist())


def _fit_column(table: dict[str, pa.Array], column: Column, rows: list[int]) -> None:
    found: Notes = {}

    def fit(row: int, text: str) -> str:
        short, dropped = drop_largest(text, column.max_bytes or 0)
        found[row] = {column.name: {"count": len(dropped), "names": [cut(name, 255) for name in dropped[:_NAMED]]}}
        return short

    table[column.name] = _replace(table[column.name], rows, fit)
    note(table, "dropped", found)


def note(table: dict[str, pa.Array], what: str, found: Mapping[int, dict[str, Any]]) -> None:
    """Add to the object ``what`` in ``process_info`` of some rows."""

    def add(row: int, text: str | None) -> str:
        info = msgspec.json.decode(text) if text else {}
        info.setdefault(what, {}).update(found[row])
        return msgspec.json.encode(info).decode()

    if found:
        table["process_info"] = _replace(table["process_info"], sorted(found), add)


def _replace(texts: pa.Array, rows: list[int], change: Callable[[int, Any], str]) -> pa.Array:
    """The texts with those of some rows, in ascending order, changed; the others are not touched."""
    values = texts.take(pa.array(rows, pa.int64())).to_pylist()
    changed = [change(row, value) for row, value in zip(rows, values, strict=True)]
    mask = np.zeros(len(texts), bool)
    mask[rows] = True
    return pc.replace_with_mask(texts, mask, pa.array(changed, pa.string()))
