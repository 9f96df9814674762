"""Checks of the counts in ``run_metrics``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from streaming_app.commands.check.check_context import CheckContext, TableProblem, list_examples
from streaming_app.model.tables import CHANGE, EVENT, OPERATION, RUN_METRICS

RECOUNTED = ("reprocess", "erase")
"""Commands that remove or add rows of event and change without a row of run_metrics: counting starts at what was stored when
the last of them ended."""

_BEGINNING = datetime.fromtimestamp(0, UTC)
_ACCOUNTED = "written + duplicate + filtered + quarantined"


def balance(context: CheckContext) -> Iterator[TableProblem]:
    """Each micro-batch accounts for all elements that it received."""
    wrong = context.query(
        f'SELECT job_id, "window", batch_id, received, {_ACCOUNTED} AS accounted FROM run_metrics '
        f"WHERE received IS DISTINCT FROM {_ACCOUNTED} ORDER BY created_time",
        {RUN_METRICS.name: context.of(RUN_METRICS)},
    )
    if wrong:
        named = (f"batch {row['batch_id']} of {row['window']} ({row['received']} ≠ {row['accounted']})" for row in wrong)
        yield TableProblem(
            RUN_METRICS.name,
            "received is not written + duplicate + filtered + quarantined in "
            f"{len(wrong):,} micro-batches: {list_examples(named)}",
            "reprocess the days that these batches read; please report it with their raw files",
        )


def stored_rows(context: CheckContext) -> Iterator[TableProblem]:
    """``event`` and ``change`` have as many rows as the micro-batches wrote, and as a reprocessing replaced."""
    last = _last_recount(context)
    base, operation = (last["stored"], last["operation"]) if last else (0, "")
    moment = (last["created_time"] if last else _BEGINNING).strftime("%Y-%m-%d %H:%M:%S.%f")
    expected = base + _count_written(context, f"created_time > '{moment}+00'")
    there = context.rows(EVENT) + context.rows(CHANGE)
    if last:
        yield from _check_reprocessed_counts(last, moment)
    if expected != there:
        counted = f", counted from the last {operation} ({moment} UTC)" if operation else ""
        yield TableProblem(
            EVENT.name,
            f"event and change have {there:,} rows, run_metrics counts {expected:,}{counted}",
            "where a run or a command was interrupted, repeat it; else reprocess the days in question: clickstream reprocess",
        )


def _last_recount(context: CheckContext) -> dict[str, Any] | None:
    """The row of ``operation`` at which counting starts; None where no such command has run."""
    commands = ", ".join(f"'{name}'" for name in RECOUNTED)
    found = context.query(
        "SELECT stored, created_time, operation, result FROM operation "
        f"WHERE status = 'done' AND operation IN ({commands}) ORDER BY created_time DESC LIMIT 1",
        {OPERATION.name: context.of(OPERATION)},
    )
    return found[0] if found else None


def _check_reprocessed_counts(last: dict[str, Any], moment: str) -> Iterator[TableProblem]:
    """Check the counts of a reprocessing; earlier versions did not record them."""
    counts = msgspec.json.decode(last["result"])
    if last["operation"] != "reprocess" or "stored_before" not in counts:
        return
    before, gone, come = counts["stored_before"], counts["taken_out"] + counts["replaced"], counts["put_in"]
    if last["stored"] != before - gone + come:
        yield TableProblem(
            EVENT.name,
            f"the reprocessing that ended {moment} UTC met {before:,} rows of event and change, took {gone:,} out, put "
            f"{come:,} in and left {last['stored']:,}",
            "give it again with the same days; please report it with their raw files",
        )


def _count_written(context: CheckContext, condition: str) -> int:
    [found] = context.query(
        f"SELECT coalesce(sum(written), 0) AS n FROM run_metrics WHERE {condition}", {RUN_METRICS.name: context.of(RUN_METRICS)}
    )
    return int(found["n"])
