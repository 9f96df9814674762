"""Arrow tables as messages between tasks and the driver."""

from __future__ import annotations

import pyarrow as pa

_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")


def to_ipc(table: pa.Table) -> bytes:
    """A table as a compressed Arrow stream: messages of tasks are copied several times in the JVM's heap."""
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, table.schema, options=_COMPRESSED) as writer:
        writer.write_table(table)
    return bytes(buffer.getvalue())


def from_ipc(stream: bytes) -> pa.Table:
    """A table from :func:`to_ipc`'s stream."""
    return pa.ipc.open_stream(pa.py_buffer(stream)).read_all()
