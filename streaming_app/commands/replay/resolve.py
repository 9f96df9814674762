"""Marking rows of ``quarantine`` whose elements have come into the tables: the row stays, and says when and by what."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.commands.operation import Operation
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import LiveFile
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.rewrite import row_groups, row_mask
from streaming_app.model.arrow import as_timestamp
from streaming_app.model.tables import QUARANTINE


def mark_resolved(this: Operation, file: LiveFile, positions: pa.Array, now_ms: int) -> None:
    """Write a file of ``quarantine`` again with its rows at some positions resolved, in one commit."""
    writer = PartitionWriter(QUARANTINE, this.lake.uri(QUARANTINE), this.lake.storage, "resolved")
    resolved = row_mask(file.rows, positions)
    for first, rows in row_groups(this.lake, QUARANTINE, file):
        writer.add(set_resolved(rows, resolved.slice(first, len(rows)), this.job_id, now_ms))
    commit(this.lake, QUARANTINE, TableChange([], [file], writer.close()), TransactionId.unique("resolve"))


def set_resolved(rows: pa.Table, which: pa.Array, job_id: str | None, now_ms: int | None) -> pa.Table:
    """The rows, some of them resolved; unresolved where no job and time are given."""
    moment = as_timestamp(pa.array([now_ms], pa.int64()))[0]
    for name, value in (("resolved_time", moment), ("resolved_by", pa.scalar(job_id, pa.string()))):
        rows = rows.set_column(rows.column_names.index(name), name, pc.if_else(which, value, rows[name]))
    return rows
