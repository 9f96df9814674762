"""The row of ``run_metrics`` that a micro-batch leaves, and the balance that must hold before anything is committed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from streaming_app.errors import BalanceError
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.changes import DeduplicatedChange
from streaming_app.ingest.commit.quarantine_copies import Quarantined
from streaming_app.ingest.task_report import IngestReport
from streaming_app.lake.commit import TableChange
from streaming_app.model.run_metrics import BatchMetrics
from streaming_app.model.tables import CHANGE


@dataclass(frozen=True)
class Timing:
    """Of the batch so far, wall seconds; ``stored_bytes`` is the size of its raw files."""

    pass_seconds: float
    stored_bytes: int


@dataclass(frozen=True)
class Outcome:
    """What a batch is about to do to the tables."""

    events: DeduplicatedChange
    changes: DeduplicatedChange | None
    items: TableChange
    quarantined: Quarantined

    @property
    def unique(self) -> list[DeduplicatedChange]:
        return [self.events, self.changes] if self.changes else [self.events]

    def files_by_table(self) -> dict[str, int]:
        changes = {each.table.name: each.change for each in self.unique}
        changes |= {"item": self.items, "quarantine": self.quarantined.change}
        return {name: len(change.added) + len(change.rewritten) for name, change in changes.items()}


@dataclass(frozen=True)
class Clock:
    """Wall and CPU seconds since its start."""

    wall: float = field(default_factory=time.monotonic)
    cpu: float = field(default_factory=time.process_time)

    def seconds(self) -> dict[str, float]:
        return {"commit_seconds": time.monotonic() - self.wall, "commit_cpu_seconds": time.process_time() - self.cpu}


def metrics_of(batch: Batch, report: IngestReport, timing: Timing, outcome: Outcome) -> BatchMetrics:
    """Everything but the times of the commit."""
    counts = report.counts
    written = {each.table.name: each.written for each in outcome.unique}
    known = outcome.quarantined.known
    reasons = {reason: count - known.get(reason, 0) for reason, count in counts.quarantined.items()}
    duplicate = sum(each.duplicate for each in outcome.unique) + sum(known.values())
    since = time.time() - batch.created_ms / 1_000
    oldest = counts.latency.oldest_ms / 1_000 if counts.latency.steps else None
    return BatchMetrics(
        job_id=batch.job_id,
        window=batch.source_partition,
        batch_id=batch.batch_id,
        created_time=_moment(batch.created_ms),
        files=counts.files,
        bytes=timing.stored_bytes,
        decoded_bytes=counts.decoded_bytes,
        lines=counts.lines,
        received=counts.received,
        written=sum(written.values()),
        duplicate=counts.duplicate + duplicate,
        filtered=counts.filtered,
        quarantined=outcome.quarantined.elements,
        quarantined_by_reason={reason: count for reason, count in reasons.items() if count},
        items=sum(file.rows for file in outcome.items.added),
        changes=written.get(CHANGE.name, 0),
        first_ingest_time=_moment(counts.first_ingest_ms),
        last_ingest_time=_moment(counts.last_ingest_ms),
        pass_seconds=timing.pass_seconds,
        pass_cpu_seconds=counts.cpu_seconds,
        enrichers=report.enrichers,
        late=counts.latency.late,
        files_by_table=outcome.files_by_table(),
        latency_p50_seconds=_seconds_to_table(counts.latency.seconds(0.5), since),
        latency_p95_seconds=_seconds_to_table(counts.latency.seconds(0.95), since),
        latency_max_seconds=_seconds_to_table(oldest, since),
    )


def _seconds_to_table(age_seconds: float | None, since: float) -> float | None:
    """Ages were taken when the batch began; the events are in the table ``since`` seconds later."""
    return None if age_seconds is None else age_seconds + since


def check_balance(metrics: BatchMetrics) -> None:
    """
    Raises:
        BalanceError: what was received is not what is accounted for.
    """
    if metrics.received != metrics.accounted:
        raise BalanceError(
            f"batch {metrics.batch_id}: received {metrics.received} elements, but {metrics.accounted} are accounted for",
            "nothing was committed; please report this with the batch's raw files",
        )


def _moment(epoch_ms: int | None) -> datetime | None:
    return None if epoch_ms is None else datetime.fromtimestamp(epoch_ms / 1000, UTC)
