"""States on their way between Spark's tasks: what is read of events to make them, and their form."""

from __future__ import annotations

import pyarrow as pa

from streaming_app.derive import session_rows, user_rows

EVENT_COLUMNS = tuple(dict.fromkeys((*user_rows.EVENT_COLUMNS, *session_rows.EVENT_COLUMNS)))
"""What both kinds of states are made of, besides the app_id."""


def to_ipc(table: pa.Table) -> bytes:
    """A table as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
