"""Committing a micro-batch, in the driver: from written files to committed tables.

Order: quarantine, item, change, run_metrics, and ``event`` last. The commit to ``event`` is the batch's commit point: if a batch
fails before it, its other commits are rolled back before the next write (:mod:`.recovery`).
"""

from __future__ import annotations

import msgspec
import pyarrow as pa

from streaming_app.backlog.stale_users import mark_stale
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.batch_metrics import BatchChanges, Clock, Timing, check_balance, measure_batch
from streaming_app.ingest.commit.changes import deduplicate, item_change
from streaming_app.ingest.commit.duplicate_days import remember_days
from streaming_app.ingest.commit.quarantine_duplicates import deduplicate_quarantine
from streaming_app.ingest.commit.recovery import write_intent
from streaming_app.ingest.commit.task_runner import TaskRunner
from streaming_app.ingest.task_report import IngestReport
from streaming_app.lake.commit import TableChange, commit, is_committed
from streaming_app.lake.lake import Lake
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.rewrite import delete_data_file
from streaming_app.model.run_metrics import BatchMetrics
from streaming_app.model.tables import CHANGE, EVENT, ITEM, QUARANTINE, RUN_METRICS, TABLES
from streaming_app.storage.side_by_side import map_side_by_side


def passed_commit_point(batch: Batch, lake: Lake) -> bool:
    """Whether an earlier attempt of the batch reached the commit point."""
    return is_committed(lake.open(EVENT), batch.transaction)


def commit_batch(
    batch: Batch, report: IngestReport, timing: Timing, lake: Lake, runner: TaskRunner | None = None
) -> BatchMetrics:
    """Deduplicate a batch and commit it; returns its metrics.

    Large steps run in the tasks of ``runner``; without one, all do in this process.

    Raises:
        BalanceError: the counts do not add up; nothing was committed.
    """
    clock = Clock()
    planned = _plan_changes(batch, report, lake, runner or TaskRunner())
    metrics = measure_batch(batch, report, timing, planned)
    check_balance(metrics)
    lake.guard()
    if users := {user for each in planned.deduplicated for user in each.duplicates.changed_users}:
        mark_stale(batch.config, batch.storage, f"{batch.stream_id}-{batch.batch_id}", users)
    for each in planned.deduplicated:
        remember_days(batch.config, batch.storage, each.table, f"{batch.stream_id}-{batch.batch_id}", each.duplicates.left_out)
    write_intent(batch, lake)
    events, changes = planned.events, planned.changes
    commit(lake, QUARANTINE, planned.quarantined.change, batch.transaction)
    commit(lake, ITEM, planned.items, batch.transaction)
    if changes:
        commit(lake, CHANGE, changes.change, batch.transaction, changes.target)
    metrics = msgspec.structs.replace(metrics, **clock.seconds())
    commit(lake, RUN_METRICS, _metrics_row(metrics, batch, lake), batch.transaction)
    commit(lake, EVENT, events.change, batch.transaction, events.target)
    return metrics


def _plan_changes(batch: Batch, report: IngestReport, lake: Lake, runner: TaskRunner) -> BatchChanges:
    events = deduplicate(EVENT, batch, report, lake, runner)
    changes = deduplicate(CHANGE, batch, report, lake, runner) if report.of(CHANGE.name) else None
    items = item_change(report.of("item"), events, lake, runner)
    quarantined = deduplicate_quarantine(report.of("quarantine"), lake, runner)
    planned = BatchChanges(events, changes, items, quarantined)
    _delete_superseded(report, planned, lake)
    return planned


def _delete_superseded(report: IngestReport, planned: BatchChanges, lake: Lake) -> None:
    """Delete the batch's files that were written again without duplicates."""
    kept = {file.path for change in planned.by_table.values() for file in change.added}
    superseded = [file for file in report.files if file.path not in kept]
    list(map_side_by_side(lambda file: delete_data_file(lake, TABLES[file.table], file.path), superseded))


def _metrics_row(metrics: BatchMetrics, batch: Batch, lake: Lake) -> TableChange:
    writer = PartitionWriter(RUN_METRICS, lake.uri(RUN_METRICS), batch.storage, f"batch-{batch.batch_id}")
    writer.add(pa.Table.from_pylist([metrics.to_row()], schema=RUN_METRICS.schema))
    return TableChange(writer.close(), [], [])
