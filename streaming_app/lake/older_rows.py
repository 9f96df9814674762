"""Completes rows that were written in an older table layout, so that every rewrite brings them up to date."""

from __future__ import annotations

import pyarrow as pa

from streaming_app.model.arrow import as_date
from streaming_app.model.lineage import LINEAGE, complete_lineage
from streaming_app.model.tables import CHANGE, EVENT, ITEM, Table

_FROM_CLIENTS = frozenset({EVENT.name, ITEM.name, CHANGE.name})


def complete_rows(table: Table, rows: pa.Table) -> pa.Table:
    """Fill the columns that rows of an older layout lack from those that they have; rows of today's stay as they are.

    ``rows`` are whole rows of the table, with all columns of their file.
    """
    if table.name not in _FROM_CLIENTS:
        return rows
    if _lacks(rows, "event_date"):
        rows = _with_column(rows, "event_date", as_date(rows["event_timestamp"]))
    return complete_lineage(rows) if _lacks(rows, LINEAGE[1]) else rows


def _lacks(rows: pa.Table, name: str) -> bool:
    """Whether rows have no such column, or null there: then another program has merged files of both layouts."""
    return name not in rows.column_names or rows[name].null_count > 0


def _with_column(rows: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    if name in rows.column_names:
        return rows.set_column(rows.column_names.index(name), name, values)
    return rows.append_column(name, values)
