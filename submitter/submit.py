"""Deciding and starting a run, for the Lambda and the command line alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError

from streaming_app.config.model import Config
from streaming_app.errors import ClickstreamError
from streaming_app.storage.any_objects import AnyObjects
from submitter.decide import Decision, decide, decide_maintenance, read_configuration
from submitter.deployment import Deployment
from submitter.job_run_request import job_name
from submitter.runs import Runs
from submitter.trigger import Trigger, read_trigger

PATIENT = ClientConfig(retries={"mode": "adaptive", "max_attempts": 10})


@dataclass(frozen=True)
class Submitted:
    """What was decided; ``job_run_id`` is that of the run that was started."""

    project_id: str
    trigger: Trigger
    decision: Decision
    job_run_id: str | None


def open_runs(config: Config, deployment: Deployment) -> tuple[Runs, Deployment]:
    """The job runs of the pipeline, and the deployment with the region that its client found."""
    client = boto3.client("emr-serverless", region_name=deployment.region, config=PATIENT)
    told = deployment.model_copy(update={"region": client.meta.region_name})
    return Runs(client, deployment.application_id, job_name(config)), told


@contextmanager
def errors_of_emr() -> Iterator[None]:
    """Raises what EMR Serverless refuses as an error with a remedy."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise ClickstreamError(f"EMR Serverless: {error}", "check the application's id and the rights of this role") from error


def submit(deployment: Deployment, event: object, *, dry_run: bool = False) -> Submitted:
    """Decide, and start the run if there is to be one; ``event`` is read by :mod:`submitter.trigger`.

    Raises:
        ClickstreamError: the configuration or the event has problems, or something cannot be listed, read or started.
    """
    config = read_configuration(deployment.config_uri, AnyObjects(), deployment.project_id)
    trigger, emr = read_trigger(event, config.emr, deployment.maximum_vcpu)
    config = config.model_copy(update={"emr": emr})
    objects = AnyObjects(config.s3.endpoint, config.s3.region)
    with errors_of_emr():
        runs, deployment = open_runs(config, deployment)
        if trigger.command == "maintain":
            decision = decide_maintenance(config, deployment, runs, trigger.moment)
        else:
            decision = decide(config, objects, deployment, runs)
        started = None if dry_run or trigger.dry_run or decision.request is None else runs.start(decision.request)
    return Submitted(config.project_id, trigger, decision, started)
