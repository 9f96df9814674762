"""The driver's part of a micro-batch: from written files to committed tables.

Order: quarantine, item, change, run_metrics, and ``event`` last. Its commit is the batch's commit point: what a batch committed
that did not get there is undone before anybody writes again (:mod:`.torn`).
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from streaming_app.backlog.stale_users import mark_stale
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.batch_metrics import Clock, Outcome, Timing, check_balance, metrics_of
from streaming_app.ingest.commit.duplicate_days import remember
from streaming_app.ingest.commit.quarantine_copies import new_in_quarantine
from streaming_app.ingest.commit.recovery import note_intent
from streaming_app.ingest.commit.rewrites import deduped, item_rewrite
from streaming_app.ingest.task_report import IngestReport
from streaming_app.lake.commit import Rewrite, commit, committed
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.model.tables import CHANGE, EVENT, ITEM, QUARANTINE, RUN_METRICS


def is_committed(batch: Batch, lake: Lake) -> bool:
    """Whether the batch got past its commit point in an earlier try."""
    return committed(lake.open(EVENT), batch.stream_id, batch.batch_id)


def commit_batch(batch: Batch, report: IngestReport, timing: Timing, lake: Lake) -> dict[str, Any]:
    """Dedupe and commit; returns the batch's row of ``run_metrics``.

    Raises:
        BalanceError: the counts do not add up; nothing was committed.
    """
    clock = Clock()
    outcome = _outcome(batch, report, lake)
    metrics = metrics_of(batch, report, timing, outcome)
    check_balance(metrics)
    lake.guard()
    if users := {user for each in outcome.unique for user in each.verdict.changed_users}:
        mark_stale(batch.config, batch.storage, f"{batch.stream_id}-{batch.batch_id}", users)
    for each in outcome.unique:
        remember(batch.config, batch.storage, each.table, f"{batch.stream_id}-{batch.batch_id}", each.verdict.left_out)
    note_intent(batch, lake)
    events, changes = outcome.events, outcome.changes
    stream, number = batch.stream_id, batch.batch_id
    commit(lake.open(QUARANTINE), QUARANTINE, outcome.quarantined.rewrite, stream, number)
    commit(lake.open(ITEM), ITEM, outcome.items, stream, number)
    if changes:
        commit(changes.target, CHANGE, changes.rewrite, stream, number)
    metrics |= clock.spent()
    commit(lake.open(RUN_METRICS), RUN_METRICS, _metrics_rewrite(metrics, batch, lake), stream, number)
    commit(events.target, EVENT, events.rewrite, stream, number)
    return metrics


def _outcome(batch: Batch, report: IngestReport, lake: Lake) -> Outcome:
    events = deduped(EVENT, batch, report, lake)
    changes = deduped(CHANGE, batch, report, lake) if report.of(CHANGE.name) else None
    items = item_rewrite(report.of("item"), events, live_files(lake.open(ITEM)), lake)
    return Outcome(events, changes, items, new_in_quarantine(report.of("quarantine"), lake))


def _metrics_rewrite(metrics: dict[str, Any], batch: Batch, lake: Lake) -> Rewrite:
    writer = PartitionWriter(RUN_METRICS, lake.uri(RUN_METRICS), batch.storage, f"batch-{batch.batch_id}")
    writer.add(pa.Table.from_pylist([metrics], schema=RUN_METRICS.schema))
    return Rewrite(writer.close(), [], [])
