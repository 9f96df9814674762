"""The metrics of a micro-batch: a row of ``run_metrics``, typed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec


class BatchMetrics(msgspec.Struct, kw_only=True, frozen=True):
    """The metrics of one micro-batch; each field is the column of that name (:data:`streaming_app.model.tables.RUN_METRICS`), and
    so is ``ingest_date``."""

    job_id: str
    window: str
    batch_id: int
    created_time: datetime | None
    files: int
    bytes: int
    decoded_bytes: int
    lines: int
    received: int
    written: int
    duplicate: int
    filtered: int
    quarantined: int
    quarantined_by_reason: dict[str, int]
    items: int
    changes: int
    first_ingest_time: datetime | None
    last_ingest_time: datetime | None
    pass_seconds: float
    pass_cpu_seconds: float
    enrichers: Mapping[str, Any]
    """Statistics of each enricher, by its name."""
    late: int
    files_by_table: dict[str, int]
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    latency_max_seconds: float | None
    commit_seconds: float = 0.0
    commit_cpu_seconds: float = 0.0

    @property
    def accounted_for(self) -> int:
        """Number of elements that were written, left out or rejected; equal to ``received`` unless there is a bug."""
        return self.written + self.duplicate + self.filtered + self.quarantined

    @property
    def ingest_date(self) -> date | None:
        """The day on which the newest of its requests was received, UTC; where no request says so, the day of the batch."""
        received = self.last_ingest_time or self.created_time
        return received and received.date()

    def to_row(self) -> dict[str, Any]:
        """The values of the table's columns; mappings are JSON text with sorted keys."""
        row = msgspec.structs.asdict(self) | {"ingest_date": self.ingest_date}
        return row | {name: _to_json(row[name]) for name in ("quarantined_by_reason", "enrichers", "files_by_table")}

    def describe(self) -> str:
        """A summary in one line."""
        return (
            f"batch {self.batch_id}: {self.files:,} files, {self.received:,} received, {self.written:,} written, "
            f"{self.duplicate:,} duplicate, {self.quarantined:,} quarantined, {self.pass_seconds + self.commit_seconds:.1f} s"
        )


def _to_json(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
