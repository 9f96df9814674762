"""Marking rows of ``quarantine`` whose elements have come into the tables: the row stays, and says when and by what."""

from __future__ import annotations

import uuid

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.model.arrow import as_timestamp
from streaming_app.model.tables import QUARANTINE
from streaming_app.operations.operation import Operation
from streaming_app.tables.delta import Rewrite, commit
from streaming_app.tables.files import LiveFile
from streaming_app.tables.parquet import PartitionWriter
from streaming_app.tables.rewrite import row_mask, with_partition


def mark_resolved(this: Operation, file: LiveFile, positions: pa.Array, now_ms: int) -> None:
    """Write a file of ``quarantine`` again with its rows at some positions resolved, in one commit."""
    root = this.sink.uri(QUARANTINE)
    system, base = this.sink.storage.filesystem(root)
    writer = PartitionWriter(QUARANTINE, root, this.sink.storage, f"resolved-{uuid.uuid4().hex[:8]}")
    with pq.ParquetFile(f"{base}/{file.path}", filesystem=system) as stored:
        resolved = row_mask(stored.metadata.num_rows, positions)
        first = 0
        for group in range(stored.num_row_groups):
            rows = with_partition(stored.read_row_group(group), QUARANTINE, file.partition)
            writer.add(_resolved(rows, resolved.slice(first, len(rows)), this.job_id, now_ms))
            first += len(rows)
    this.sink.guard()
    rewrite = Rewrite([], [file], writer.close())
    commit(this.sink.open(QUARANTINE), QUARANTINE, rewrite, f"resolve-{uuid.uuid4()}", 0)


def _resolved(rows: pa.Table, which: pa.Array, job_id: str, now_ms: int) -> pa.Table:
    moment = as_timestamp(pa.array([now_ms], pa.int64()))[0]
    for name, value in (("resolved_time", moment), ("resolved_by", pa.scalar(job_id))):
        rows = rows.set_column(rows.column_names.index(name), name, pc.if_else(which, value, rows[name]))
    return rows
