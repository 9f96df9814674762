"""The row of ``run_metrics`` that a micro-batch leaves, and the balance that must hold before anything is committed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from streaming_app.errors import BalanceError
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.changes import DeduplicatedChange
from streaming_app.ingest.commit.quarantine_duplicates import QuarantineChange
from streaming_app.ingest.task_report import IngestReport
from streaming_app.lake.commit import TableChange
from streaming_app.model.run_metrics import BatchMetrics
from streaming_app.model.tables import CHANGE


@dataclass(frozen=True)
class Timing:
    """Wall seconds that the batch has taken so far; ``stored_bytes`` is the size of its raw files."""

    pass_seconds: float
    stored_bytes: int


@dataclass(frozen=True)
class BatchChanges:
    """What a batch is about to change in the tables."""

    events: DeduplicatedChange
    changes: DeduplicatedChange | None
    items: TableChange
    quarantined: QuarantineChange

    @property
    def deduplicated(self) -> list[DeduplicatedChange]:
        """The changes of ``event`` and ``change``."""
        return [self.events, self.changes] if self.changes else [self.events]

    @property
    def by_table(self) -> dict[str, TableChange]:
        """The change of each table, by its name."""
        changes = {each.table.name: each.change for each in self.deduplicated}
        return changes | {"item": self.items, "quarantine": self.quarantined.change}

    def files_by_table(self) -> dict[str, int]:
        """Number of files to be added to each table."""
        return {name: len(change.added) + len(change.rewritten) for name, change in self.by_table.items()}


@dataclass(frozen=True)
class Clock:
    """Wall and CPU seconds since its start."""

    wall: float = field(default_factory=time.monotonic)
    cpu: float = field(default_factory=time.process_time)

    def seconds(self) -> dict[str, float]:
        return {"commit_seconds": time.monotonic() - self.wall, "commit_cpu_seconds": time.process_time() - self.cpu}


def measure_batch(batch: Batch, report: IngestReport, timing: Timing, changes: BatchChanges) -> BatchMetrics:
    """Compute the metrics of a batch, but for the times of its commit."""
    counts = report.counts
    written = {each.table.name: each.written for each in changes.deduplicated}
    known = changes.quarantined.known
    reasons = {reason: count - known.get(reason, 0) for reason, count in counts.quarantined.items()}
    duplicate = sum(each.duplicate for each in changes.deduplicated) + sum(known.values())
    since = time.time() - batch.created_ms / 1_000
    oldest = counts.latency.oldest_ms / 1_000 if counts.latency.steps else None
    return BatchMetrics(
        job_id=batch.job_id,
        window=batch.source_partition,
        batch_id=batch.batch_id,
        created_time=_to_datetime(batch.created_ms),
        files=counts.files,
        bytes=timing.stored_bytes,
        decoded_bytes=counts.decoded_bytes,
        lines=counts.lines,
        received=counts.received,
        written=sum(written.values()),
        duplicate=counts.duplicate + duplicate,
        filtered=counts.filtered,
        quarantined=changes.quarantined.elements,
        quarantined_by_reason={reason: count for reason, count in reasons.items() if count},
        items=sum(file.rows for file in changes.items.added),
        changes=written.get(CHANGE.name, 0),
        first_ingest_time=_to_datetime(counts.first_ingest_ms),
        last_ingest_time=_to_datetime(counts.last_ingest_ms),
        pass_seconds=timing.pass_seconds,
        pass_cpu_seconds=counts.cpu_seconds,
        enrichers=report.enrichers,
        late=counts.latency.late,
        files_by_table=changes.files_by_table(),
        latency_p50_seconds=_seconds_to_table(counts.latency.quantile(0.5), since),
        latency_p95_seconds=_seconds_to_table(counts.latency.quantile(0.95), since),
        latency_max_seconds=_seconds_to_table(oldest, since),
    )


def _seconds_to_table(age_seconds: float | None, since: float) -> float | None:
    """The age of an event at its commit: ages were measured at the start of the batch, ``since`` seconds before."""
    return None if age_seconds is None else age_seconds + since


def check_balance(metrics: BatchMetrics) -> None:
    """Check that every received element is accounted for: written, duplicate, filtered or quarantined.

    Raises:
        BalanceError: the counts differ; nothing has been committed yet.
    """
    if metrics.received != metrics.accounted_for:
        raise BalanceError(
            f"batch {metrics.batch_id}: received {metrics.received} elements, but {metrics.accounted_for} are accounted for",
            "nothing was committed; please report this with the batch's raw files",
        )


def _to_datetime(epoch_ms: int | None) -> datetime | None:
    return None if epoch_ms is None else datetime.fromtimestamp(epoch_ms / 1000, UTC)
