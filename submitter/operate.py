"""Starting an operator's command on EMR Serverless, and following a job run to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from streaming_app.errors import ClickstreamError
from streaming_app.storage.any_objects import AnyObjects
from submitter.command import decide_command
from submitter.decide import Decision, read_configuration
from submitter.deployment import Deployment
from submitter.sizing import Plan
from submitter.submit import errors_of_emr, open_runs
from submitter.survey import Workload

POLL_SECONDS = 10.0
pause = time.sleep

Tell = Callable[[str], None]
"""Takes a line for people."""


def operate(deployment: Deployment, command: Sequence[str], tell: Tell, *, dry_run: bool = False) -> tuple[Decision, str | None]:
    """Say what a command takes, and start it; returns the decision and the id of the job run.

    Raises:
        ClickstreamError: the configuration has problems, or something cannot be listed, read or started.
    """
    config = read_configuration(deployment.config_uri, AnyObjects())
    objects = AnyObjects(config.s3.endpoint, config.s3.region)
    with errors_of_emr():
        runs, deployment = open_runs(config, deployment)
        decision = decide_command(config, objects, deployment, runs, command)
        if decision.work is not None and decision.plan is not None:
            tell(describe_quote(decision, decision.work, decision.plan))
        started = None if dry_run or decision.request is None else runs.start(decision.request)
    return decision, started


def describe_quote(decision: Decision, work: Workload, plan: Plan) -> str:
    """What a command is expected to take, in a line."""
    reads = f"{work.files:,} raw files, {work.bytes / 1e9:,.3f} GB" if work.files else "no raw files of days, so at least"
    queued = f"; waits for {decision.active_run}" if decision.active_run else ""
    return f"{reads}: {plan.executors} executors, about {plan.minutes:,.0f} minutes, ${plan.dollars:,.2f}{queued}"


def wait_for_end(deployment: Deployment, job_run_id: str, tell: Tell) -> dict[str, Any]:
    """Follow a job run: its states as they change, what it took at its end.

    Raises:
        ClickstreamError: it did not succeed.
    """
    config = read_configuration(deployment.config_uri, AnyObjects())
    began, last = time.monotonic(), ""
    with errors_of_emr():
        runs, _ = open_runs(config, deployment)
        while not (now := runs.state(job_run_id)).has_ended:
            if now.state != last:
                tell(f"{job_run_id}: {now.state}")
                last = now.state
            pause(POLL_SECONDS)
    if now.state != "SUCCESS":
        raise ClickstreamError(f"{job_run_id}: {now.state}: {now.details}", "the log of the driver says more")
    minutes = (time.monotonic() - began) / 60
    return {"state": now.state, "minutes": round(minutes, 1), "billed_dollars": round(now.dollars(config.emr.price), 4)}
