"""``replay``: processes quarantined elements again; what passes now is stored once, and its row is marked as resolved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from streaming_app.backlog.derive_log import derive_is_behind
from streaming_app.commands.operation import Operation, operation
from streaming_app.commands.replay.keys import find_waiting_files, replay_keys
from streaming_app.commands.replay.quarantine_filter import QuarantineFilter
from streaming_app.commands.replay.requests import RequestRebuilder
from streaming_app.commands.replay.resolve import mark_resolved
from streaming_app.commands.replay.unreadable_files import (
    can_be_read,
    find_unreadable_files,
    is_whole_file,
    replay_unreadable_files,
)
from streaming_app.config.model import Config
from streaming_app.derive.stream import derive
from streaming_app.environment import open_lake
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.batch_metrics import Timing
from streaming_app.ingest.commit.commit import commit_batch
from streaming_app.ingest.request_processor import RequestProcessor
from streaming_app.ingest.transform.route import ElementRouter, RoutedElements
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rows import read_batches
from streaming_app.metrics.progress import Progress
from streaming_app.metrics.summary import Summary
from streaming_app.model.request import Request
from streaming_app.model.tables import QUARANTINE
from streaming_app.plugins.loading import open_enrichers
from streaming_app.spark.session import get_session
from streaming_app.storage.any_objects import AnyObjects

PHASES = ("start", "replay", "derive")
_ROW = ("reason", "stage", "raw", "envelope", "app_id", "source_file", "source_line", "elements")
_COLUMNS = (*_ROW, "created_time", "resolved_time")


def plan(config: Config, row_filter: QuarantineFilter) -> dict[str, int]:
    """Count the rows that a replay would process, that pass now, and that cannot be processed; nothing is written."""
    lake = open_lake(config)
    counts = {"tried": 0, "pass": 0, "cannot": 0}
    for each in find_unreadable_files(lake, _list_files(lake, row_filter), row_filter):
        counts["tried"] += 1
        counts["pass"] += can_be_read(lake.storage, each.uri, config.limits.max_line_bytes)
    router = ElementRouter(config)
    for file in _list_files(lake, row_filter):
        for _, _, outcome in _replay_rows(lake, file, row_filter, config, router):
            counts["cannot" if outcome is None else "tried"] += 1
            counts["pass"] += outcome is not None and _passes(outcome)
    counts["tried"] += sum(len(each.rows) for each in find_waiting_files(lake, row_filter))
    return counts


def run(config: Config, row_filter: QuarantineFilter, progress: Progress) -> dict[str, Any]:
    """Process the rows again, a file of ``quarantine`` at a time; then update user and session.

    An element that still fails stays as it is. Of a payload that failed as a whole, elements that fail now get rows of
    their own.

    Raises:
        LockError: another process writes to these tables.
    """
    arguments = {
        "reasons": list(row_filter.reasons),
        "since": row_filter.since and row_filter.since.isoformat(),
        "app": row_filter.app_id,
    }
    progress.phase("start")
    with operation(config, "replay", arguments) as this:
        open_enrichers(config, this.lake.storage)
        progress.phase("replay")
        replay_into(this, row_filter, progress)
        progress.phase("derive")
        if derive_is_behind(config, AnyObjects(config.s3.endpoint, config.s3.region)):
            derive(get_session(config, this.lake.storage), config, this.lake, Summary(this.job_id))
        replay_keys(this, row_filter)
    return this.result


def replay_into(this: Operation, row_filter: QuarantineFilter, progress: Progress) -> None:
    """Store the elements that pass now, as part of an operation; derive has not seen them then."""
    this.result |= dict.fromkeys(("tried", "resolved", "cannot", "written", "duplicate", "filtered"), 0)
    replay_unreadable_files(this, find_unreadable_files(this.lake, _list_files(this.lake, row_filter), row_filter), progress)
    for number, file in enumerate(_list_files(this.lake, row_filter)):
        _replay_file(this, file, number, row_filter, progress)


def _list_files(lake: Lake, row_filter: QuarantineFilter) -> list[DataFile]:
    return sorted(filter(row_filter.may_be_in, live_files(lake.open(QUARANTINE))), key=lambda file: file.path)


def _replay_file(this: Operation, file: DataFile, number: int, row_filter: QuarantineFilter, progress: Progress) -> None:
    began = time.monotonic()
    created_ms = int(time.time() * 1_000)
    batch = Batch(this.config, this.lake.storage, f"replay-{this.id}", number, this.job_id, created_ms, "replay")
    requests = RequestProcessor(batch, f"replay-{this.id[:8]}-{number}")
    passed: list[int] = []
    for row, request, outcome in _replay_rows(this.lake, file, row_filter, this.config, requests.router):
        this.count("cannot" if outcome is None else "tried")
        if outcome is not None and _passes(outcome):
            requests.write(request, outcome)
            passed.append(row)
    if not passed:
        return
    metrics = commit_batch(batch, requests.close(), Timing(time.monotonic() - began, 0), this.lake)
    mark_resolved(this, file, pa.array(passed, pa.int64()), created_ms)
    this.count("resolved", len(passed))
    for name in ("written", "duplicate", "filtered"):
        this.count(name, getattr(metrics, name))
    progress.batch(metrics)


def _replay_rows(
    lake: Lake, file: DataFile, row_filter: QuarantineFilter, config: Config, router: ElementRouter
) -> Iterator[tuple[int, Request, RoutedElements | None]]:
    """Position, request and outcome of each selected row of a file; the outcome is None where it cannot be processed."""
    limits = config.limits
    rebuilder = RequestRebuilder(lake.storage, limits.max_line_bytes, limits.max_quarantine_bytes)
    first = 0
    for rows in read_batches(lake, QUARANTINE, file, _COLUMNS):
        for number, row in enumerate(rows.to_pylist(), first):
            if row_filter.includes(row) and not is_whole_file(row):
                replayed = rebuilder.rebuild(row)
                if replayed is None:
                    yield number, Request(), None
                else:
                    yield number, replayed.request, replayed.outcome_of_row(router.route(replayed.request))
        first += len(rows)


def _passes(outcome: RoutedElements) -> bool:
    """At least one element is good now."""
    return bool(outcome.events or outcome.changes)
