"""Checks of what ``run_metrics`` says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from streaming_app.model.tables import CHANGE, EVENT, OPERATION, RUN_METRICS
from streaming_app.operations.check.facts import Facts, Problem, shown

RECOUNTED = ("reprocess", "erase")
"""Commands that take rows of event and change away, or add some, without a row of run_metrics: what was stored when they ended
is counted on from there."""

_BEGINNING = datetime.fromtimestamp(0, UTC)
_ACCOUNTED = "written + duplicate + filtered + quarantined"


def balance(facts: Facts) -> Iterator[Problem]:
    """Each micro-batch accounts for all that it received."""
    wrong = facts.ask(
        f'SELECT job_id, "window", batch_id, received, {_ACCOUNTED} AS accounted FROM run_metrics '
        f"WHERE received IS DISTINCT FROM {_ACCOUNTED} ORDER BY created_time",
        {RUN_METRICS.name: facts.of(RUN_METRICS)},
    )
    if wrong:
        named = (f"batch {row['batch_id']} of {row['window']} ({row['received']} ≠ {row['accounted']})" for row in wrong)
        yield Problem(
            RUN_METRICS.name,
            f"received is not written + duplicate + filtered + quarantined in {len(wrong):,} micro-batches: {shown(named)}",
            "reprocess the days that these batches read; please report it with their raw files",
        )


def stored_rows(facts: Facts) -> Iterator[Problem]:
    """``event`` and ``change`` have as many rows as the micro-batches say that they wrote."""
    base, since, operation = _base(facts)
    moment = since.strftime("%Y-%m-%d %H:%M:%S.%f")
    [added] = facts.ask(
        f"SELECT coalesce(sum(written), 0) AS n FROM run_metrics WHERE created_time > '{moment}+00'",
        {RUN_METRICS.name: facts.of(RUN_METRICS)},
    )
    told, there = base + int(added["n"]), facts.rows(EVENT) + facts.rows(CHANGE)
    if told != there:
        counted = f", counted from the last {operation} ({moment} UTC)" if operation else ""
        yield Problem(
            EVENT.name,
            f"event and change have {there:,} rows, run_metrics tells of {told:,}{counted}",
            "where a run or a command was interrupted, repeat it; else reprocess the days in question: clickstream reprocess",
        )


def _base(facts: Facts) -> tuple[int, datetime, str]:
    """Rows to count on from, since when, and which command says so."""
    commands = ", ".join(f"'{name}'" for name in RECOUNTED)
    found = facts.ask(
        f"SELECT stored, created_time, operation FROM operation WHERE status = 'done' AND operation IN ({commands}) "
        "ORDER BY created_time DESC LIMIT 1",
        {OPERATION.name: facts.of(OPERATION)},
    )
    return (found[0]["stored"], found[0]["created_time"], found[0]["operation"]) if found else (0, _BEGINNING, "")
