"""What the tables by day have in common: the time in its forms, columns within their limits and in the contract's order."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.model.arrow import as_timestamp, one_array
from streaming_app.model.column_limits import limit_columns
from streaming_app.model.tables import Table


def add_partition_columns(table: Table, rows: pa.Table, created_ms: int) -> pa.Table:
    """Rows with an ``event_time_msec`` as whole rows of their table."""
    columns = {name: one_array(rows[name]) for name in rows.column_names}
    limit_columns(columns, table.columns)
    time = as_timestamp(columns["event_time_msec"])
    columns["event_timestamp"] = time
    columns["year"], columns["month"], columns["day"] = (part(time).cast(pa.int32()) for part in (pc.year, pc.month, pc.day))
    columns["created_time"] = as_timestamp(pa.repeat(pa.scalar(created_ms, pa.int64()), len(time)))
    return pa.table([columns[name] for name in table.schema.names], schema=table.schema)
