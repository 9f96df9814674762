"""``reprocess``: computes days of events again from their raw files, with today's code, rules and configuration.

The ordinary ingest runs into a shadow of the tables first, with a checkpoint of its own: it is as exactly once and as easy to
interrupt as ever. Then the rows of the raw files that it has read, on whatever day they lie, are replaced with the shadow's, in
one commit a table: as if these raw files had come in today, and all others when they did.
"""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.backlog.file_log import committed_files
from streaming_app.backlog.stale_users import mark_stale
from streaming_app.backlog.unprocessed import find_backlog
from streaming_app.commands.days import Days
from streaming_app.commands.operation import Operation, operation, resume_directory
from streaming_app.commands.raw_files import find_raw_files, find_unread_files
from streaming_app.commands.reprocess.affected_rows import AffectedFiles, find_affected_files
from streaming_app.commands.reprocess.day_swap import IN_ORDER, commit_swap, plan_swaps
from streaming_app.commands.reprocess.requarantine import requarantine
from streaming_app.commands.reprocess.shadow import open_shadow
from streaming_app.commands.reprocess.swap_balance import check_plan, check_result, count_rows
from streaming_app.config.model import Config
from streaming_app.derive.changes import upsert_items
from streaming_app.derive.rebuild import rebuild_stale_users
from streaming_app.derive.stream import derive
from streaming_app.environment import open_lake
from streaming_app.ingest.commit.duplicate_days import join_days, remember_days
from streaming_app.ingest.commit.task_runner import TaskRunner
from streaming_app.ingest.stream import ingest
from streaming_app.lake.commit import TransactionId
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rows import read_batches
from streaming_app.metrics.progress import Progress
from streaming_app.metrics.summary import Summary
from streaming_app.model.tables import CHANGE, EVENT, ITEM_ATTRIBUTES
from streaming_app.plugins.loading import open_enrichers
from streaming_app.spark.session import get_session
from streaming_app.storage.any_objects import AnyObjects

PHASES = ("start", "ingest", "replace", "rebuild", "quarantine", "derive")


def plan(config: Config, days: Days) -> dict[str, int]:
    """What would be read, and how many events are stored now; nothing is written."""
    lake, objects = open_lake(config), AnyObjects(config.s3.endpoint, config.s3.region)
    raw = find_raw_files(config, lake, days, objects, config.checkpoint_uri(f"{_name(days)}/ingest"))
    backlog = find_backlog(raw.source_partition, config.source.glob, objects)
    events = sum(file.rows for file in live_files(lake.open(EVENT)) if file.day in days)
    return {"files": backlog.files, "bytes": backlog.bytes, "events_now": events, "files_that_are_gone": len(raw.missing_files)}


def run(config: Config, days: Days, progress: Progress) -> dict[str, Any]:
    """Compute the days again; user, session, item_attributes and quarantine are updated accordingly.

    Raises:
        LockError: another process writes to these tables.
        SourceError: there is no raw file of these days.
    """
    progress.phase("start")
    with operation(config, "reprocess", {"from": str(days.first), "to": str(days.last)}) as this:
        storage = this.lake.storage
        open_enrichers(config, storage)
        spark = get_session(config, storage)
        with resume_directory(config, _name(days), storage) as folder:
            # What derive has not read when its day is replaced would be counted twice.
            derive(spark, config, this.lake, Summary(this.job_id))
            shadow_config, shadow = open_shadow(config, this.lake, folder)
            objects = AnyObjects(config.s3.endpoint, config.s3.region)
            raw = find_raw_files(config, this.lake, days, objects, f"{folder}/ingest")
            backlog = find_backlog(raw.source_partition, config.source.glob, objects)
            progress.phase("ingest")
            progress.backlog(backlog.files, backlog.bytes)
            if backlog:
                ingest(spark, shadow_config, shadow, backlog, this.job_id, progress.batch)
            # Of a file that could not be read now, an archived one say, the stored rows stay.
            fully_read = set(committed_files(objects, raw.source_partition.checkpoint)) - find_unread_files(shadow)
            affected = find_affected_files(shadow, fully_read, *raw.received.span_ms)
            progress.phase("replace")
            swap_days(this, shadow_config, shadow, affected, frozenset(days), f"{folder}/days.json", TaskRunner(spark))
            this.result["kept"] = sum(rows for name, rows in raw.missing_files.items() if name not in affected.raw_files)
            progress.phase("rebuild")
            rebuild_stale_users(config, this.lake, this.job_id)
            _rebuild_items(this.lake)
            progress.phase("quarantine")
            requarantine(this, shadow, affected.raw_files)
            progress.phase("derive")
            derive(spark, config, this.lake, Summary(this.job_id))
    return this.result


def _name(days: Days) -> str:
    return f"reprocess/{days}"


def swap_days(
    this: Operation,
    shadow_config: Config,
    shadow: Lake,
    affected: AffectedFiles,
    days: frozenset[date],
    days_uri: str,
    runner: TaskRunner,
) -> None:
    """Replace the rows of the raw files with the shadow's; ``result`` gets the counts.

    ``days_uri`` keeps the days of earlier attempts: items may have been replaced there, and their events not.

    Raises:
        BalanceError: rows would be lost, or there twice.
    """
    lake = this.lake
    days |= _read_noted_days(days_uri, lake)
    for table in (EVENT, CHANGE):
        join_days(this.config, shadow_config, lake.storage, table)
    swaps = plan_swaps(this.config, lake, shadow, affected, days, runner)
    check_plan(swaps, shadow)
    days |= {day for each in swaps for day in each.days}
    lake.storage.write_text(days_uri, msgspec.json.encode(sorted(days)).decode())
    before, before_of_days = count_rows(lake, IN_ORDER), _count_rows_on(days, lake)
    if users := {user for each in swaps for user in each.users}:
        mark_stale(this.config, lake.storage, this.job_id, users)
    for each in swaps:
        remember_days(this.config, lake.storage, each.table, this.job_id, each.lost.left_out)
        commit_swap(each, lake)
    check_result(swaps, before, days, affected, lake, runner)
    this.result |= {"days": len(days), "before": before_of_days, "after": _count_rows_on(days, lake)}
    this.result["stored_before"] = before[EVENT.name] + before[CHANGE.name]
    for name in ("taken_out", "replaced", "put_in"):
        this.result[name] = sum(getattr(each, name) for each in swaps if each.table in (EVENT, CHANGE))


def _read_noted_days(uri: str, lake: Lake) -> frozenset[date]:
    if not lake.storage.exists(uri):
        return frozenset()
    return frozenset(msgspec.json.decode(lake.storage.read_text(uri), type=list[date]))


def _count_rows_on(days: frozenset[date], lake: Lake) -> int:
    """Rows of ``event`` and ``change`` on some days."""
    return sum(file.rows for table in (EVENT, CHANGE) for file in live_files(lake.open(table)) if file.day in days)


def _rebuild_items(lake: Lake) -> None:
    """Compute every item with attributes again: after a crash it is not known which ones have changed."""
    found: dict[str, list[pa.Array]] = {}
    for table in (CHANGE, ITEM_ATTRIBUTES):
        for file in live_files(lake.open(table)):
            for rows in read_batches(lake, table, file, ["item_id"]):
                found.setdefault(file.partition["app_id"], []).append(pc.unique(rows["item_id"].drop_null()))
    keys = {app_id: pc.unique(pa.chunked_array(parts, pa.string())) for app_id, parts in found.items()}
    upsert_items(lake, keys, int(time.time() * 1_000), TransactionId.unique("items"))
