"""Marking rows of ``quarantine`` whose elements are stored now: the row stays, and says when and by which job."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.commands.operation import Operation
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import DataFile
from streaming_app.lake.rewrite import rewrite, row_mask
from streaming_app.model.arrow import as_timestamp
from streaming_app.model.tables import QUARANTINE


def mark_resolved(this: Operation, file: DataFile, positions: pa.Array, now_ms: int) -> None:
    """Rewrite a file of ``quarantine`` with its rows at some positions resolved, in one commit."""
    resolved = row_mask(file.rows, positions)

    def resolve(_file: DataFile, first: int, rows: pa.Table) -> pa.Table:
        return set_resolved(rows, resolved.slice(first, len(rows)), this.job_id, now_ms)

    written = rewrite(this.lake, QUARANTINE, [file], resolve, "resolved")
    commit(this.lake, QUARANTINE, TableChange([], [file], written), TransactionId.unique("resolve"))


def set_resolved(rows: pa.Table, which: pa.Array, job_id: str | None, now_ms: int | None) -> pa.Table:
    """The rows, some of them resolved; unresolved where no job and time are given."""
    moment = as_timestamp(pa.array([now_ms], pa.int64()))[0]
    for name, value in (("resolved_time", moment), ("resolved_by", pa.scalar(job_id, pa.string()))):
        rows = rows.set_column(rows.column_names.index(name), name, pc.if_else(which, value, rows[name]))
    return rows
