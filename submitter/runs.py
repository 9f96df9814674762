"""The pipeline's job runs on EMR Serverless: which are active, which was the last, and starting one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from streaming_app.config.emr import PriceSection
from submitter.job_run_request import JobRunRequest

ACTIVE = ("SUBMITTED", "PENDING", "SCHEDULED", "QUEUED", "RUNNING", "CANCELLING")
ENDED = ("SUCCESS", "FAILED", "CANCELLED")
"""Together all states of a job run, except for those that a later API may add. Source: botocore's model."""

RECENT = 200
"""Ended runs among which the last one is looked for; the API lists the newest of a state first."""


class ActiveRun(NamedTuple):
    """A job run that has not ended; ``submitted`` in seconds since 1970."""

    id: str
    submitted: float


_BILLED = {"vcpu_hours": "vCPUHour", "gb_hours": "memoryGBHour", "disk_gb_hours": "storageGBHour"}


class RunState(NamedTuple):
    """The state of a job run, why it ended, and what of it is billed."""

    state: str
    details: str
    vcpu_hours: float
    gb_hours: float
    disk_gb_hours: float

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    def dollars(self, price: PriceSection) -> float:
        """What is billed for it."""
        disk = self.disk_gb_hours * price.disk_gb_hour
        return self.vcpu_hours * price.vcpu_hour + self.gb_hours * price.gb_hour + disk


@dataclass(frozen=True)
class Runs:
    """The job runs of one pipeline; ``client`` is boto3's of emr-serverless."""

    client: Any
    application_id: str
    name: str

    def active(self) -> ActiveRun | None:
        """A run of this pipeline that has not ended; None without one."""
        return next((ActiveRun(run["id"], run["createdAt"].timestamp()) for run in self._list_runs(ACTIVE)), None)

    def last(self) -> str | None:
        """Id of the run that ended last; None without one."""
        recent = [run for state in ENDED for run in islice(self._list_runs((state,)), RECENT)]
        return max(recent, key=lambda run: (run["createdAt"], run["id"]))["id"] if recent else None

    def state(self, job_run_id: str) -> RunState:
        """How far a run is."""
        run = self.client.get_job_run(applicationId=self.application_id, jobRunId=job_run_id)["jobRun"]
        billed = run.get("billedResourceUtilization") or {}
        hours = {name: float(billed.get(key, 0)) for name, key in _BILLED.items()}
        return RunState(run["state"], run.get("stateDetails", ""), **hours)

    def start(self, request: JobRunRequest) -> str:
        """Start a run; returns the id of the job run."""
        return str(self.client.start_job_run(**request)["jobRunId"])

    def _list_runs(self, states: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        pages = self.client.get_paginator("list_job_runs").paginate(applicationId=self.application_id, states=list(states))
        return (run for page in pages for run in page["jobRuns"] if run.get("name") == self.name)
