"""Completes rows that were written in an older table layout, so that every rewrite brings them up to date."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.model.arrow import as_date, day_received
from streaming_app.model.lineage import LINEAGE, complete_lineage
from streaming_app.model.merge_state import MERGE_STATE, merge_state_fields, pack_merge_state
from streaming_app.model.tables import CHANGE, EVENT, ITEM, QUARANTINE, RUN_METRICS, Table


def complete_rows(table: Table, rows: pa.Table) -> pa.Table:
    """Fill the columns that rows of an older layout lack from those that they have; rows of today's stay as they are.

    ``rows`` are whole rows of the table, with all columns of their file, of which only ``process_info`` and columns
    that do not change may be dictionary-encoded.
    """
    if merge_state_fields(table) and MERGE_STATE not in rows.column_names:
        fields = {name: _column_or_null(rows, name) for name in merge_state_fields(table)}
        rows = rows.append_column(MERGE_STATE, pack_merge_state(table, fields))
    if table.name in _DAYS:
        name, day_of = _DAYS[table.name]
        if _lacks(rows, name):
            rows = _with_column(rows, name, day_of(rows))
    if set(LINEAGE) <= set(table.schema.names) and _lacks(rows, "source_file"):
        rows = complete_lineage(rows)
    return rows


def day_column(table: Table) -> str | None:
    """The column with the day of a row, which layout 3 added and whose range is in the table's log; None for other tables."""
    return _DAYS[table.name][0] if table.name in _DAYS else None


_EVENT_DATE = ("event_date", lambda rows: as_date(rows["event_timestamp"]))
_DAYS: dict[str, tuple[str, Callable[[pa.Table], pa.ChunkedArray]]] = {
    **dict.fromkeys((EVENT.name, ITEM.name, CHANGE.name), _EVENT_DATE),
    QUARANTINE.name: ("ingest_date", lambda rows: day_received(rows["ingest_time_msec"], rows["created_time"])),
    RUN_METRICS.name: ("ingest_date", lambda rows: as_date(pc.coalesce(rows["last_ingest_time"], rows["created_time"]))),
}
"""The column with a row's day, and how it follows from the row, by table."""


def _lacks(rows: pa.Table, name: str) -> bool:
    """Whether rows have no such column, or null there: then another program has merged files of both layouts."""
    return name not in rows.column_names or rows[name].null_count > 0


def _column_or_null(rows: pa.Table, name: str) -> pa.ChunkedArray:
    return rows[name] if name in rows.column_names else pa.chunked_array([pa.nulls(len(rows), pa.string())])


def _with_column(rows: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    if name in rows.column_names:
        return rows.set_column(rows.column_names.index(name), name, values)
    return rows.append_column(name, values)
