"""An operator's command as a job run: of the same application as the pipeline's runs, and sized by the same model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from hashlib import sha256

from streaming_app.backlog.source_partitions import SourcePartition
from streaming_app.backlog.unprocessed import matching_files
from streaming_app.commands.days import Days, find_raw_folders, received_days
from streaming_app.config.model import Config
from streaming_app.errors import ConfigError
from streaming_app.storage.objects import Objects
from streaming_app.storage.uris import absolute
from submitter.decide import Action, Decision
from submitter.deployment import Deployment
from submitter.job_run_request import client_token, start_job_run
from submitter.ratio import compression_ratio
from submitter.runs import Runs
from submitter.sizing import plan_for
from submitter.survey import Workload

COMMANDS = (
    ("backfill",),
    ("reprocess",),
    ("replay",),
    ("rebuild",),
    ("erase",),
    ("optimize",),
    ("vacuum",),
    ("maintain",),
    ("tables", "check"),
)
"""What can be started on the cluster, by the words that begin its command line."""


def decide_command(config: Config, objects: Objects, deployment: Deployment, runs: Runs, command: Sequence[str]) -> Decision:
    """The start of a command, with what it costs at least. Behind an active run, EMR Serverless queues it.

    Commands that read no raw files of days (``--from``, ``--to``) get the smallest size: what they read is not measured.

    Raises:
        ConfigError: it is no command that runs there.
        SourceError: there are no raw files of its days.
    """
    if not any(tuple(command[: len(each)]) == each for each in COMMANDS):
        known = ", ".join(" ".join(each) for each in COMMANDS)
        raise ConfigError(f"{' '.join(command[:2])}: is no command that runs on EMR Serverless", f"these do: {known}")
    active = runs.active()
    files, size = _measure(config, objects, command)
    ratio = config.emr.sizing.compression_ratio or compression_ratio(objects, absolute(config.table_uri("run_metrics")))
    plan = plan_for(config.emr, size, ratio)
    identity = sha256(f"{config.project_id} {' '.join(command)}".encode()).hexdigest()
    token = client_token(identity, runs.last())
    request = start_job_run(config, deployment, plan, token, [*command, "--config", deployment.config_uri, "--json"])
    work = Workload(files, size, None, unfinished=False, derive_behind=False, complete=True, identity=identity)
    return Decision(Action.SUBMIT, active.id if active else None, work=work, ratio=ratio, plan=plan, request=request)


def _measure(config: Config, objects: Objects, command: Sequence[str]) -> tuple[int, int]:
    """Number and stored bytes of the raw files that the command reads."""
    days = _days_of(command)
    if days is None:
        return 0, 0
    received = received_days(config, days) if command[0] == "reprocess" else days
    folders, others = find_raw_folders(config, received, objects)
    partition = SourcePartition(f"{command[0]} {days}", (*folders, *others), "", fully_read=False)
    sizes = [found.size for found, _ in matching_files(partition, config.source.glob, objects)]
    return len(sizes), sum(sizes)


def _days_of(command: Sequence[str]) -> Days | None:
    """The days that a command line names; the command itself reads it once more, with all its rules."""
    named = dict.fromkeys(("--from", "--to"), "")
    words = [part for word in command for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for name in named:
        if name in words[:-1]:
            named[name] = words[words.index(name) + 1]
    if not all(named.values()):
        return None
    try:
        return Days(date.fromisoformat(named["--from"][:10]), date.fromisoformat(named["--to"][:10]))
    except ValueError:
        raise ConfigError(f"--from {named['--from']} --to {named['--to']}: are no days", "give them as 2026-11-01") from None
