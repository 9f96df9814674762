"""Validates the results of enrichers, so that a wrong one loses the enriched values of its rows only."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.model.lineage import LINEAGE
from streaming_app.model.tables import EVENT
from streaming_app.plugins.enricher import TRANSIENT
from streaming_app.plugins.validate_elements import json_problem

_KNOWN = {column.name: column for column in EVENT.columns}
_JSON = tuple(column.name for column in EVENT.columns if column.is_json)
KEYS = ("app_id", "event_id", "event_time_msec", *LINEAGE)
"""Columns that identify and place a row and say where it comes from, which an enricher must not change; it may fill and change
all others."""


def conform_to_schema(made: Any, given: pa.Table, *, trusted: bool) -> pa.Table:
    """Cast an enricher's result to the types of the contract; columns that it dropped are restored.

    The result of a built-in enricher is ``trusted``: keys, order and JSON are not checked.

    Raises:
        TypeError, ValueError: it is not a table of the same rows, or a JSON column has invalid text.
        pa.ArrowException: a column does not fit its type.
    """
    if not isinstance(made, pa.Table):
        raise TypeError(f"enrich() returned a {type(made).__name__}, not a table")
    if len(made) != len(given):
        raise ValueError(f"enrich() returned {len(made)} rows for {len(given)}")
    if twice := [name for name, count in Counter(made.column_names).items() if count > 1]:
        raise ValueError(f"enrich() returned columns twice: {', '.join(twice)}")
    columns = {name: given[name] for name in given.column_names}
    table = pa.table(columns | {name: _cast(name, made[name]) for name in made.column_names})
    if not trusted:
        _check_contents(table, given)
    return table


def _check_contents(made: pa.Table, given: pa.Table) -> None:
    for name in KEYS:
        if name in given.column_names and not made[name].equals(given[name]):
            raise ValueError(f"enrich() changed {name}, or the order of rows")
    for name in _JSON:
        if name in made.column_names and not (name in given.column_names and made[name].equals(given[name])):
            texts = (text for text in pc.unique(made[name]).to_pylist() if text is not None)
            if problem := next(filter(None, (json_problem(name, text) for text in texts)), None):
                raise ValueError(f"enrich() made events {problem}")


def _cast(name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    if name == "is_filtered":
        return pc.fill_null(values.cast(pa.bool_()), False)
    kind = _KNOWN[name].arrow if name in _KNOWN else pa.string() if name in TRANSIENT else values.type
    return values.cast(kind)
