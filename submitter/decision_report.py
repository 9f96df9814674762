"""A decision as a log line and as CloudWatch metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from submitter.decide import Action, Decision

SUBMITTER_METRICS = {
    "UnprocessedFiles": "Count",
    "UnprocessedBytes": "Bytes",
    "BacklogAgeSeconds": "Seconds",
    "Submitted": "Count",
    "ExpectedCost": "None",
    "ActiveRunMinutes": "None",
}
"""Metrics of the submitter in CloudWatch and their units."""


def describe_decision(decision: Decision, job_run_id: str | None = None) -> dict[str, Any]:
    """The decision as plain values."""
    shown: dict[str, Any] = {"decision": decision.action.value, "job_run_id": job_run_id}
    if decision.active_run:
        shown["active_run"] = decision.active_run
    if (work := decision.work) is not None:
        shown |= {"files": work.files, "bytes": work.bytes, "counted_all": work.complete, "unfinished_batch": work.unfinished}
        shown |= {"derive_is_behind": work.derive_behind, "compression_ratio": round(decision.ratio or 0, 2)}
        shown["stored_users"] = decision.users
    if (plan := decision.plan) is not None:
        shown |= {"executors": plan.executors, "vcpu": plan.vcpu, "expected_minutes": round(plan.minutes, 1)}
        shown |= {"expected_dollars": round(plan.dollars, 4)}
    return shown


def decision_metrics(decision: Decision, moment: float | None) -> Iterator[tuple[str, str, float]]:
    """Name, unit and value of each metric; ``moment`` is that of the schedule.

    While a run is active nothing was counted, so there is no metric of the backlog.
    """
    values: dict[str, float] = {"Submitted": float(decision.action is Action.SUBMIT)}
    if moment is not None:
        values["ActiveRunMinutes"] = _age(decision.run_submitted, moment) / 60
    if (work := decision.work) is not None:
        values |= {"UnprocessedFiles": work.files, "UnprocessedBytes": work.bytes}
        if moment is not None:
            values["BacklogAgeSeconds"] = _age(work.oldest, moment)
    if decision.plan is not None:
        values["ExpectedCost"] = decision.plan.dollars
    return ((name, SUBMITTER_METRICS[name], value) for name, value in values.items())


def _age(began: float | None, moment: float) -> float:
    """Seconds from the oldest unprocessed file, or an active run, to the moment of the schedule; 0 without it."""
    return 0.0 if began is None else max(0.0, moment - began)
