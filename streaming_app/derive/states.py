"""States on their way between Spark's tasks: what is read of events to make them, and their form."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.derive import session_rows, user_rows
from streaming_app.lake.duckdb import query

EVENT_COLUMNS = tuple(dict.fromkeys((*user_rows.EVENT_COLUMNS, *session_rows.EVENT_COLUMNS)))
"""What both kinds of states are made of, besides the app_id."""


PART_ROWS = 16_384
"""States that are combined at a time: DuckDB needs some 10 kB for each."""
PART_BYTES = 64 << 20
"""Their bytes, for users with very large attributes."""


def in_parts(states: pa.Table, stored: pa.Table) -> Iterator[tuple[pa.Table, pa.Table]]:
    """New and stored states of so many users at a time that combining them takes little memory; of a user all."""
    rows, size = len(states) + len(stored), states.nbytes + stored.nbytes
    parts = 1 + max(rows // PART_ROWS, size // PART_BYTES)
    known = dict(by_user(stored, parts))
    for number, part in by_user(states, parts):
        yield part, known.get(number, stored.slice(0, 0))


def by_user(rows: pa.Table, parts: int) -> Iterator[tuple[int, pa.Table]]:
    """Rows by the number of the part that their user belongs to; parts without rows are left out."""
    if parts == 1:
        yield from [(0, rows)] if len(rows) else []
        return
    part = query(f"SELECT CAST(hash(app_id, user_pseudo_id) % {parts} AS INTEGER) AS part FROM rows", rows=rows)["part"]
    for number in range(parts):
        chosen = rows.filter(pc.equal(part, number))
        if len(chosen):
            yield number, chosen


_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")


def to_ipc(table: pa.Table) -> bytes:
    """A table as an Arrow stream, compressed: what tasks send goes through the JVM's heap, in several copies."""
    lake = pa.BufferOutputStream()
    with pa.ipc.new_stream(lake, table.schema, options=_COMPRESSED) as writer:
        writer.write_table(table)
    return bytes(lake.getvalue())
