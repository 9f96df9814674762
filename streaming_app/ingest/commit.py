"""The driver's part of a micro-batch: from written files to committed tables.

Order: quarantine, item, change, run_metrics, and ``event`` last. Its commit is the batch's commit point: a rerun after a crash
before it compares with the same table as the first try and decides alike.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa

from streaming_app.derive.stale import mark_stale
from streaming_app.errors import BalanceError
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.report import Report
from streaming_app.ingest.rewrites import Deduped, deduped, item_rewrite
from streaming_app.model.tables import CHANGE, EVENT, ITEM, QUARANTINE, RUN_METRICS
from streaming_app.tables.delta import Rewrite, Sink, commit, committed, live_files
from streaming_app.tables.parquet import PartitionWriter


@dataclass(frozen=True)
class Timing:
    """Of the batch so far, wall seconds; ``stored_bytes`` is the size of its raw files."""

    pass_seconds: float
    stored_bytes: int


def is_committed(batch: Batch, sink: Sink) -> bool:
    """Whether the batch got past its commit point in an earlier try."""
    return committed(sink.open(EVENT), batch.stream_id, batch.batch_id)


def commit_batch(batch: Batch, report: Report, timing: Timing, sink: Sink) -> dict[str, Any]:
    """Dedupe and commit; returns the batch's row of ``run_metrics``.

    Raises:
        BalanceError: the counts do not add up; nothing was committed.
    """
    began = time.monotonic()
    events = deduped(EVENT, batch, report, sink)
    changes = deduped(CHANGE, batch, report, sink) if report.of(CHANGE.name) else None
    item_table = sink.open(ITEM)
    items = item_rewrite(report.of("item"), events, live_files(item_table), sink)
    both = [events, changes] if changes else [events]
    metrics = _metrics(batch, report, timing, both, items)
    _check_balance(metrics)
    if users := {user for each in both for user in each.verdict.changed_users}:
        mark_stale(batch, users)
    quarantined = Rewrite(report.of("quarantine"), [], [])
    stream, number = batch.stream_id, batch.batch_id
    commit(sink.open(QUARANTINE), QUARANTINE, quarantined, stream, number)
    commit(item_table, ITEM, items, stream, number)
    if changes:
        commit(changes.target, CHANGE, changes.rewrite, stream, number)
    metrics["commit_seconds"] = time.monotonic() - began
    commit(sink.open(RUN_METRICS), RUN_METRICS, _metrics_rewrite(metrics, batch, sink), stream, number)
    commit(events.target, EVENT, events.rewrite, stream, number)
    return metrics


def _metrics(batch: Batch, report: Report, timing: Timing, both: list[Deduped], items: Rewrite) -> dict[str, Any]:
    counts = report.counts
    written = {each.table.name: each.written for each in both}
    return {
        "job_id": batch.job_id,
        "window": batch.window,
        "batch_id": batch.batch_id,
        "created_time": _moment(batch.created_ms),
        "files": counts.files,
        "bytes": timing.stored_bytes,
        "decoded_bytes": counts.decoded_bytes,
        "lines": counts.lines,
        "received": counts.received,
        "written": sum(written.values()),
        "duplicate": counts.duplicate + sum(each.duplicate for each in both),
        "filtered": counts.filtered,
        "quarantined": sum(file.rows for file in report.of("quarantine")),
        "quarantined_by_reason": msgspec.json.encode(counts.quarantined, order="sorted").decode(),
        "items": sum(file.rows for file in items.added),
        "changes": written.get(CHANGE.name, 0),
        "first_ingest_time": _moment(counts.first_ingest_ms),
        "last_ingest_time": _moment(counts.last_ingest_ms),
        "pass_seconds": timing.pass_seconds,
        "pass_cpu_seconds": counts.cpu_seconds,
        "commit_seconds": 0.0,
        "enrichers": msgspec.json.encode(report.enrichers, order="sorted").decode(),
    }


def _check_balance(metrics: dict[str, Any]) -> None:
    accounted = sum(metrics[name] for name in ("written", "duplicate", "filtered", "quarantined"))
    if metrics["received"] != accounted:
        raise BalanceError(
            f"batch {metrics['batch_id']}: received {metrics['received']} elements, but {accounted} are accounted for",
            "nothing was committed; please report this with the batch's raw files",
        )


def _metrics_rewrite(metrics: dict[str, Any], batch: Batch, sink: Sink) -> Rewrite:
    writer = PartitionWriter(RUN_METRICS, sink.uri(RUN_METRICS), batch.storage, f"batch-{batch.batch_id}")
    writer.add(pa.Table.from_pylist([metrics], schema=RUN_METRICS.schema))
    return Rewrite(writer.close(), [], [])


def _moment(epoch_ms: int | None) -> datetime | None:
    return None if epoch_ms is None else datetime.fromtimestamp(epoch_ms / 1000, UTC)
