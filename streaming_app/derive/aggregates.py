"""Aggregates of users and sessions on their way between tasks and driver: their parts and their messages."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.isolate import SetAside
from streaming_app.lake.duckdb import query

EVENT_COLUMNS = tuple(dict.fromkeys((*user_rows.EVENT_COLUMNS, *session_rows.EVENT_COLUMNS)))
"""What is read of ``event`` to aggregate users and sessions, besides its app_id."""


class NewAggregates(msgspec.Struct, frozen=True):
    """What a task of DERIVE tells the driver about some events: Arrow streams of aggregates of users and of sessions, and the
    users that were set aside."""

    users: list[bytes]
    sessions: list[bytes]
    failed: list[SetAside]


class UserPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a task of a full rebuild sends about some users: Arrow streams of aggregates and of changes, and those set aside."""

    aggregates: list[bytes] = msgspec.field(default_factory=list)
    changes: list[bytes] = msgspec.field(default_factory=list)
    failed: list[SetAside] = msgspec.field(default_factory=list)


PART_ROWS = 16_384
"""Aggregates that are combined at a time: DuckDB needs some 10 kB for each."""
PART_BYTES = 64 << 20
"""Their bytes, for users with very large attributes."""


def split_into_parts(aggregates: pa.Table, stored: pa.Table) -> Iterator[tuple[pa.Table, pa.Table]]:
    """New and stored aggregates of so many users at a time that combining them takes little memory; of a user all."""
    rows, size = len(aggregates) + len(stored), aggregates.nbytes + stored.nbytes
    parts = 1 + max(rows // PART_ROWS, size // PART_BYTES)
    known = dict(partition_by_user(stored, parts))
    for number, part in partition_by_user(aggregates, parts):
        yield part, known.get(number, stored.slice(0, 0))


def partition_by_user(rows: pa.Table, parts: int) -> Iterator[tuple[int, pa.Table]]:
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
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, table.schema, options=_COMPRESSED) as writer:
        writer.write_table(table)
    return bytes(buffer.getvalue())


def from_ipc(stream: bytes) -> pa.Table:
    """A table from :func:`to_ipc`'s stream."""
    return pa.ipc.open_stream(pa.py_buffer(stream)).read_all()
