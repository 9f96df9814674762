"""Deciding whether to start a run: is one active, is anything unprocessed, how large does the run have to be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streaming_app.config.model import Config
from streaming_app.config.read import read_config
from streaming_app.errors import ConfigError
from streaming_app.storage.objects import Objects
from streaming_app.storage.uris import absolute
from submitter.deployment import Deployment
from submitter.in_use import tables_in_use
from submitter.job_run_request import JobRunRequest, client_token, maintain_arguments, process_arguments, start_job_run
from submitter.ratio import DEFAULT, compression_ratio
from submitter.runs import ActiveRun, Runs
from submitter.sizing import Plan, enough_bytes, plan_for
from submitter.stored_users import stored_users
from submitter.survey import Workload, survey


class Action(StrEnum):
    """What the submitter does."""

    WAIT = "another run is active"
    IN_USE = "an operator's command works on the tables"
    NOTHING = "nothing is unprocessed"
    SUBMIT = "submit"


@dataclass(frozen=True)
class Decision:
    """What to do.

    ``users`` are stored before the run. ``request``: set if the action is SUBMIT; ``active_run``: the run or command that is in
    the way.
    """

    action: Action
    active_run: str | None = None
    run_submitted: float | None = None
    """When the active run was submitted, seconds since 1970; None where there is none."""
    work: Workload | None = None
    ratio: float | None = None
    users: int = 0
    plan: Plan | None = None
    request: JobRunRequest | None = None


def read_configuration(uri: str, objects: Objects, project_id: str | None = None) -> Config:
    """The pipeline's configuration, without its plugins; ``project_id`` is that of the stack, where there is one.

    Raises:
        ConfigError: it cannot be read or has problems, of which the message lists all, or it is another pipeline's.
    """
    try:
        config = read_config("\n".join(objects.lines(uri)), uri)
    except OSError as error:
        raise ConfigError(f"{uri}: cannot be read: {error}", "CLICKSTREAM_CONFIG says where it is") from None
    if project_id is not None and config.project_id != project_id:
        raise ConfigError(
            f"{uri}: project_id is {config.project_id}, ProjectId of the stack is {project_id}",
            "alarms and the dashboard look at the stack's: make them the same",
        )
    return config


def decide(config: Config, objects: Objects, deployment: Deployment, runs: Runs) -> Decision:
    """Decide what to do; nothing is changed. It depends on checkpoints, listings and job runs alone, not on a clock."""
    if active := runs.active():
        return _wait_for(active)
    ratio = config.emr.sizing.compression_ratio or compression_ratio(objects, absolute(config.table_uri("run_metrics")))
    users = stored_users(objects, absolute(config.table_uri("user")))
    work = survey(config, objects, enough_bytes(config.emr, ratio, users))
    if not work:
        return Decision(Action.NOTHING, work=work, ratio=ratio)
    if active := runs.active():  # looking takes a while with large backlogs
        return _wait_for(active)
    if holder := tables_in_use(config, objects):  # the run would end at once, and raise an alarm
        return Decision(Action.IN_USE, active_run=holder, work=work, ratio=ratio)
    plan = plan_for(config.emr, work.bytes, ratio, users)
    token = client_token(work.identity, runs.last())
    request = start_job_run(config, deployment, plan, token, process_arguments(config, deployment, plan, token))
    return Decision(Action.SUBMIT, work=work, ratio=ratio, users=users, plan=plan, request=request)


def decide_maintenance(config: Config, deployment: Deployment, runs: Runs, moment: float | None) -> Decision:
    """The start of the maintenance, once for a moment of its schedule. Where a run is active, EMR Serverless queues it."""
    identity = f"maintain {config.project_id} {moment}"
    token = client_token(identity, None if moment is not None else runs.last())
    plan = plan_for(config.emr, 0, DEFAULT)
    request = start_job_run(config, deployment, plan, token, maintain_arguments(config, deployment, token))
    return Decision(Action.SUBMIT, plan=plan, request=request)


def _wait_for(active: ActiveRun) -> Decision:
    return Decision(Action.WAIT, active_run=active.id, run_submitted=active.submitted)
