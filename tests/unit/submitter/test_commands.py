"""Operators' commands on the cluster: what is started, how large, what is told before, and how it is followed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from streaming_app.cli import _exit_code
from streaming_app.config.emr import EmrSection
from streaming_app.errors import ConfigError
from submitter import operate
from submitter.command import COMMANDS
from submitter.deployment import Deployment
from submitter.operate import operate as start
from submitter.sizing import plan_for
from tests.support.emr_serverless import EmrServerless
from tests.unit.submitter.test_submitter import GB, configure, deployment, emr, service, settings

__all__ = ["deployment", "emr", "service"]  # fixtures

BACKFILL = ("backfill", "--from", "2026-05-28", "--to", "2026-05-29")


def raw(folder: Path, day: int, size: int = 10) -> None:
    path = folder / f"raw/year=2026/month=05/day={day:02}/a.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


@pytest.fixture
def clickstream(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    where = ["--application-id", deployment.application_id, "--job-role-arn", deployment.job_role_arn]

    def call(*arguments: str) -> tuple[int, str, str]:
        options = ["--config", deployment.config_uri, *where, "--package", deployment.package_uri, "--json"]
        code = _exit_code(["submit", *options, *arguments], debug=False)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def told(_: str) -> None:
    return


def test_a_backfill_is_started_and_sized_by_its_days(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    for day in (27, 28, 29, 30):
        raw(tmp_path, day, 10 * GB)
    lines: list[str] = []
    decision, job_run_id = start(deployment, BACKFILL, lines.append)
    size = plan_for(EmrSection(), 20 * GB, 10)
    quote = f"2 raw files, 20.000 GB: {size.executors} executors, about {size.minutes:.0f} minutes, ${size.dollars:.2f}"
    assert (job_run_id, lines) == ("run-1", [quote])
    assert size.executors > plan_for(EmrSection(), GB, 10).executors
    [request] = emr.requests
    arguments = request["jobDriver"]["sparkSubmit"]["entryPointArguments"]
    assert arguments == [*BACKFILL, "--config", deployment.config_uri, "--json"]
    assert settings(request)["spark.executor.instances"] == str(size.executors)
    assert decision.work is not None
    assert (decision.work.files, decision.work.bytes) == (2, 20 * GB)


def test_reprocess_reads_more_days_than_it_replaces(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    """What is late was received later, and a clock may run ahead."""
    for day in range(1, 32):
        raw(tmp_path, day)
    configure(deployment, rules={"freshness_hours": 48}, dedupe={"neighbour_days": 1})
    decision, _ = start(deployment, ("reprocess", "--from=2026-05-10", "--to=2026-05-10"), told)
    assert decision.work is not None
    assert decision.work.files == 2 + 1 + 4, "two days before, and two for lateness with two for clocks after"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_runs_there_with_the_options_that_are_added(
    command: tuple[str, ...], emr: EmrServerless, clickstream: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    raw(tmp_path, 28)
    options = {
        "backfill": BACKFILL[1:],
        "reprocess": BACKFILL[1:],
        "rebuild": ("user",),
        "erase": ("--app", "shop", "--user-id", "a"),
    }.get(command[0], ())
    code, _, errors = clickstream(*command, *options)
    assert code == 0, errors
    arguments = emr.requests[0]["jobDriver"]["sparkSubmit"]["entryPointArguments"]
    assert arguments[: len(command) + len(options)] == [*command, *options]


def test_it_waits_behind_a_run(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    raw(tmp_path, 28)
    start(deployment, BACKFILL, told)
    lines: list[str] = []
    decision, job_run_id = start(deployment, ("optimize",), lines.append)
    assert (decision.active_run, job_run_id) == ("run-1", "run-2")
    assert lines[0].startswith("no raw files of days, so at least: 1 executors, about ")
    assert lines[0].endswith("; waits for run-1")


def test_the_same_command_twice_is_one_job(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    raw(tmp_path, 28)
    assert [start(deployment, BACKFILL, told)[1] for _ in range(2)] == ["run-1", "run-1"]
    emr.end()
    assert start(deployment, BACKFILL, told)[1] == "run-2"


def test_a_dry_run_tells_and_starts_nothing(
    emr: EmrServerless, clickstream: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    raw(tmp_path, 28, GB)
    code, output, errors = clickstream("--dry-run", *BACKFILL)
    assert (code, emr.requests) == (0, [])
    assert "1 raw files, 1.000 GB: 1 executors, about " in errors
    assert json.loads(output)["request"]["jobDriver"]["sparkSubmit"]["entryPointArguments"][:5] == list(BACKFILL)


def test_it_is_followed_to_its_end(
    emr: EmrServerless,
    clickstream: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operate, "pause", lambda _: None)
    raw(tmp_path, 28)
    emr.moves[:] = ["SUBMITTED", "QUEUED", "QUEUED", "RUNNING", "SUCCESS"]
    code, output, errors = clickstream("--wait", *BACKFILL)
    assert code == 0
    assert errors.splitlines()[1:] == ["run-1: SUBMITTED", "run-1: QUEUED", "run-1: RUNNING"]
    result = json.loads(output)
    assert result["state"] == "SUCCESS"
    assert result["billed_dollars"] == pytest.approx(1.5 * 0.042094 + 4 * 0.004628, abs=1e-4)
    emr.moves[:] = ["RUNNING", "FAILED"]
    code, _, errors = clickstream("--wait", *BACKFILL)
    assert code == 1
    assert "error: run-2: FAILED" in errors


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("sql", "SELECT 1"), "is no command that runs on EMR Serverless"),
        (("backfill", "--from", "2026-05-28"), "--to"),
        (("backfill", "--from", "soon", "--to", "2026-05-28"), "soon"),
        (("backfill", "--from", "2026-05-28", "--to", "2026-05-28", "--fast"), "--fast"),
        (("backfil",), "backfil"),
    ],
)
def test_what_is_wrong_shows_before_anything_starts(
    command: tuple[str, ...],
    says: str,
    emr: EmrServerless,
    clickstream: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
) -> None:
    raw(tmp_path, 28)
    code, output, errors = clickstream(*command)
    assert (code, emr.requests) == (2, [])
    assert says in output + errors


def test_days_that_are_none_are_refused(emr: EmrServerless, deployment: Deployment) -> None:
    with pytest.raises(ConfigError, match="are no days"):
        start(deployment, ("backfill", "--from", "soon", "--to", "later"), told)
