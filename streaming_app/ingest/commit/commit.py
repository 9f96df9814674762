"""The driver's part of a micro-batch: from written files to committed tables.

Order: quarantine, item, change, run_metrics, and ``event`` last. Its commit is the batch's commit point: what a batch committed
that did not get there is rolled back before the next write (:mod:`.recovery`).
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from streaming_app.backlog.stale_users import mark_stale
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.batch_metrics import Clock, Outcome, Timing, check_balance, metrics_of
from streaming_app.ingest.commit.duplicate_days import remember
from streaming_app.ingest.commit.quarantine_copies import new_in_quarantine
from streaming_app.ingest.commit.recovery import write_intent
from streaming_app.ingest.commit.rewrites import deduped, item_rewrite
from streaming_app.ingest.task_report import IngestReport
from streaming_app.lake.commit import TableChange, commit, is_committed
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.model.tables import CHANGE, EVENT, ITEM, QUARANTINE, RUN_METRICS


def passed_commit_point(batch: Batch, lake: Lake) -> bool:
    """Whether the batch reached its commit point in an earlier try."""
    return is_committed(lake.open(EVENT), batch.transaction)


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
    write_intent(batch, lake)
    events, changes = outcome.events, outcome.changes
    commit(lake, QUARANTINE, outcome.quarantined.change, batch.transaction)
    commit(lake, ITEM, outcome.items, batch.transaction)
    if changes:
        commit(lake, CHANGE, changes.change, batch.transaction, changes.target)
    metrics |= clock.seconds()
    commit(lake, RUN_METRICS, _metrics_row(metrics, batch, lake), batch.transaction)
    commit(lake, EVENT, events.change, batch.transaction, events.target)
    return metrics


def _outcome(batch: Batch, report: IngestReport, lake: Lake) -> Outcome:
    events = deduped(EVENT, batch, report, lake)
    changes = deduped(CHANGE, batch, report, lake) if report.of(CHANGE.name) else None
    items = item_rewrite(report.of("item"), events, live_files(lake.open(ITEM)), lake)
    return Outcome(events, changes, items, new_in_quarantine(report.of("quarantine"), lake))


def _metrics_row(metrics: dict[str, Any], batch: Batch, lake: Lake) -> TableChange:
    writer = PartitionWriter(RUN_METRICS, lake.uri(RUN_METRICS), batch.storage, f"batch-{batch.batch_id}")
    writer.add(pa.Table.from_pylist([metrics], schema=RUN_METRICS.schema))
    return TableChange(writer.close(), [], [])
