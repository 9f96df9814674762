"""Shared by the writers of all tables: the limit on buffered rows, and the columns that are added to each row.

Buffers are bounded by bytes as well as by rows, since one event can be as large as thousands of others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.model.arrow import as_date, as_timestamp, one_array
from streaming_app.model.column_limits import limit_columns
from streaming_app.model.tables import Table

BUFFER_BYTES = 32_000_000
"""Bytes of buffered rows after which they are written. A single request can add some ten times ``max_payload_bytes`` to it."""

_encode = msgspec.msgpack.Encoder().encode


def estimate_bytes(rows: Sequence[tuple[Any, ...]]) -> int:
    """Approximate size of rows in bytes, mostly that of their text: their size as MessagePack, which takes 1 µs an event."""
    try:
        return len(_encode(rows))
    except Exception:  # integers beyond 64 bits, lone surrogates: too rare to handle separately
        return sum(_length(value) for row in rows for value in row)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(str(value))


def add_partition_columns(table: Table, rows: pa.Table, created_ms: int) -> pa.Table:
    """Complete rows that have an ``event_time_msec`` for a table that is partitioned by day.

    Columns are brought within their limits and into the table's order; timestamp, date, year, month, day and ``created_time``
    (from ``created_ms``, epoch ms) are added.
    """
    columns = {name: one_array(rows[name]) for name in rows.column_names}
    limit_columns(columns, table.columns)
    time = as_timestamp(columns["event_time_msec"])
    columns["event_timestamp"], columns["event_date"] = time, as_date(time)
    columns["year"], columns["month"], columns["day"] = (part(time).cast(pa.int32()) for part in (pc.year, pc.month, pc.day))
    columns["created_time"] = as_timestamp(pa.repeat(pa.scalar(created_ms, pa.int64()), len(time)))
    return pa.table([columns[name] for name in table.schema.names], schema=table.schema)
