"""Maintenance: what is due at night is done, each step for itself, and what one of them finds does not stop the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streaming_app.cli import _exit_code
from streaming_app.commands import maintain, vacuum
from streaming_app.commands.maintain import VACUUM_EVERY, Step
from streaming_app.commands.operation import operation
from streaming_app.config.model import Config
from streaming_app.errors import BalanceError, SinkError
from streaming_app.metrics.summary import Summary
from tests.support.lake import LocalPipeline
from tests.support.raw import event, line, write
from tests.support.upkeep import QUIET, busy_lake, copied, derived


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    return busy_lake(tmp_path_factory.mktemp("busy"))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The runs between two steps, by their job id: each would have taken the lock, as another process could."""
    found: list[str | None] = []

    def taking_the_lock(config: Config, _progress: Any, job_id: str | None) -> Summary:
        with operation(config, "backfill", {}):
            found.append(job_id)
        return Summary("job")

    monkeypatch.setattr(maintain.pipeline, "run", taking_the_lock)
    return found


def test_a_night(busy: LocalPipeline, runs: list[str | None], tmp_path: Path) -> None:
    pipeline = copied(busy, tmp_path)
    written = []
    steps = maintain.plan(pipeline.config, lambda _, uri: written.append(uri))
    names = [step.name for step in steps]
    assert names[-3:] == ["vacuum", "check", "report"]
    assert {"optimize event", "optimize item"} <= set(names)
    result = maintain.run(pipeline.config, steps, QUIET, "night-1")
    assert result.first_failure is None, result.steps
    assert [entry["step"] for entry in result.steps] == names, "runs that found nothing are not listed"
    assert runs == ["night-1"] * (len(steps) - 1), "one between each two, with the lock free"
    assert written == [f"{tmp_path}/lake/_reports/{datetime.now(UTC):%Y-%m-%d}.html"]
    done = {entry["step"]: entry for entry in result.steps}
    assert done["optimize event"]["files_after"] < done["optimize event"]["files_before"]
    assert done["check"]["problems"] == 0
    assert [step.name for step in maintain.plan(pipeline.config, None)][-1:] == ["check"]
    assert "vacuum" not in [step.name for step in maintain.plan(pipeline.config, None)], "it was this night"


def test_old_files_are_deleted_once_a_week(busy: LocalPipeline, tmp_path: Path) -> None:
    pipeline = copied(busy, tmp_path)
    now = datetime.now(UTC)
    assert maintain.is_vacuum_due(pipeline.lake, now)
    with pytest.raises(SinkError), operation(pipeline.config, "vacuum", {}):
        raise SinkError("killed in its middle")
    assert maintain.is_vacuum_due(pipeline.lake, now), "one that failed does not count"
    vacuum.run(pipeline.config, vacuum.RETENTION_HOURS, QUIET)
    for later, due in ((timedelta(days=6), False), (VACUUM_EVERY + timedelta(minutes=5), True), (timedelta(days=7), True)):
        assert maintain.is_vacuum_due(pipeline.lake, now + later) == due


def test_a_step_that_fails_does_not_stop_the_others(busy: LocalPipeline, runs: list[str | None]) -> None:
    def failing(_: Any) -> dict[str, Any]:
        raise SinkError("no", "do this")

    def balancing(_: Any) -> dict[str, Any]:
        raise BalanceError("also no")

    steps = [Step("a", failing), Step("b", balancing), Step("c", lambda _: {"files": 1})]
    result = maintain.run(busy.config, steps, QUIET)
    assert [(entry["step"], entry.get("error"), entry.get("files")) for entry in result.steps] == [
        ("a", "no", None),
        ("b", "also no", None),
        ("c", None, 1),
    ]
    assert isinstance(result.first_failure, SinkError)
    assert not result.as_dict()["succeeded"]


def test_what_the_check_finds_fails_the_job(busy: LocalPipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So that the stack's alarm on failed runs tells it."""
    pipeline = copied(busy, tmp_path)
    pipeline.ingest(write(tmp_path / "raw", "more.gz", line(event("more"), rid="r-more")))
    derived(pipeline)  # derive's checkpoint says that it has read what it has not
    step = next(step for step in maintain.plan(pipeline.config, None) if step.name == "check")
    result = maintain.run(pipeline.config, [step], QUIET)
    assert isinstance(result.first_failure, BalanceError)
    assert result.first_failure.exit_code == 6
    assert "problems: " in result.steps[0]["error"]


def test_the_command_line(
    busy: LocalPipeline, runs: list[str | None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = copied(busy, tmp_path)
    config = tmp_path / "pipeline.json"
    config.write_text(pipeline.config.model_dump_json(exclude_defaults=True))
    command = ["maintain", "--config", str(config), "--job-id", "night"]
    assert _exit_code([*command, "--dry-run", "--json"], debug=False) == 0
    planned = [each["step"] for each in json.loads(capsys.readouterr().out)["plan"]]
    assert _exit_code([*command, "--json"], debug=False) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["succeeded"]
    assert [each["step"] for each in result["steps"]] == planned
    [page] = (tmp_path / "lake/_reports").iterdir()
    assert page.read_text().startswith("<!doctype html>")
    assert _exit_code(command, debug=False) == 0
    assert "check: problems 0 (" in capsys.readouterr().out
