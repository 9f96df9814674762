"""Every command is killed after each change that it makes to what is stored, an ordinary run follows, then the command again:
the tables are those of a life without accidents. A few moments of each in the suite, all of them with EVERY_MOMENT=1."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from streaming_app.erasure.person import Person
from streaming_app.operations.backfill import backfill
from streaming_app.operations.erase import erase
from streaming_app.operations.rebuild import rebuild
from streaming_app.operations.replay import Wanted, replay
from streaming_app.operations.reprocess import reprocess
from streaming_app.progress import LogLines
from tests.spark.job import Job
from tests.spark.test_again import DAY, with_rules
from tests.spark.test_crash import write_first, write_second
from tests.support.killed import life_of, other_process_is_dead
from tests.support.raw import NOW, event, line, write
from tests.support.sources import APPS

EVERY_MOMENT = bool(os.environ.get("EVERY_MOMENT"))
"""Takes half an hour for all commands."""
SPREAD = 3
OPEN = "SELECT reason, source_line, raw FROM quarantine WHERE resolved_time IS NULL ORDER BY ALL"


def late(raw: Path) -> None:
    """Events that strict rules quarantine, and one whose day depends on the correction of its clock."""
    sent = [event(f"late-{n}", timestamp=NOW - n * 36_000_000, items=[{"id": "x"}]) for n in range(1, 4)]
    behind = NOW - 86_400_000
    moves = event("moves", timestamp=behind - 1_000, items=[{"id": "y"}], unique_id="u-moves")
    write(raw, "late.gz", line(*sent, rid="r-late"), line(moves, rid="r-moves", client_timestamp=behind))


@dataclass
class Command:
    """``prepare`` brings a job into the state in which the command is given, ``do`` is the command. ``as_new``: it ends in the
    tables of a job that has run with all files and the configuration of the end."""

    do: Callable[[Job], Any]
    prepare: Callable[[Job], Any] = field(default=lambda job: job.run())
    as_new: bool = True


def with_strict_rules(job: Job) -> None:
    todays = job.config
    with_rules(job, freshness_hours=5)
    job.run()
    job.config = todays


def with_trusted_clocks(job: Job) -> None:
    """An event is on the day before; others are too late by now."""
    todays = job.config
    with_rules(job, freshness_hours=25, clock_correction=False)
    job.run()
    job.config = todays


COMMANDS = {
    "backfill": Command(lambda job: backfill(job.config, DAY, LogLines()), prepare=lambda _: None),
    "reprocess": Command(lambda job: reprocess(job.config, DAY, LogLines()), with_trusted_clocks),
    "replay": Command(lambda job: replay(job.config, Wanted(), LogLines()), with_strict_rules),
    "rebuild": Command(lambda job: rebuild(job.config, ("user", "session"), LogLines())),
    "erase": Command(lambda job: erase(job.config, Person("shop", "u-1"), "delete", LogLines(), raw=True), as_new=False),
}


def ready(command: Command, folder: Path) -> Job:
    job = Job(folder, APPS)
    write_first(folder / "raw")
    late(folder / "raw")
    command.prepare(job)
    return job


def go_on(command: Command, job: Job) -> None:
    """What follows an accident, or none: an ordinary run with new files, the command (again), and another run."""
    write_second(job.folder / "raw")
    job.run()
    command.do(job)
    job.run()


def moments(made: int) -> range:
    """All, or a few that are spread over the command."""
    return range(made) if EVERY_MOMENT else range(made % SPREAD, made, max(1, made // SPREAD))


def state(job: Job) -> tuple[Any, ...]:
    balance = job.query("SELECT received - written - duplicate - filtered - quarantined AS off FROM run_metrics")
    return job.derived_tables(), job.query(OPEN), {row["off"] for row in balance}


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_after_each_change(name: str, spark: SparkSession, tmp_path: Path) -> None:
    command = COMMANDS[name]
    calm = ready(command, tmp_path / "calm")
    with life_of() as life:
        command.do(calm)
    go_on(command, calm)
    expected = state(calm)
    if command.as_new:
        new = Job(tmp_path / "new", APPS)
        write_first(new.folder / "raw")
        late(new.folder / "raw")
        write_second(new.folder / "raw")
        new.run()
        assert expected[0] == state(new)[0]
    assert life.made > 5
    for changes in moments(life.made):
        job = ready(command, tmp_path / str(changes))
        with life_of(changes) as cut:
            command.do(job)
        assert cut.is_over
        with other_process_is_dead():
            go_on(command, job)
        assert state(job) == expected, f"killed after {changes} of {life.made} changes"


COMMAND_LINES = {
    "backfill": ["--from", "2026-05-28", "--to", "2026-05-28"],
    "reprocess": ["--from", "2026-05-28", "--to", "2026-05-28"],
    "replay": [],
    "rebuild": [],
    "erase": ["--app", "shop", "--user-pseudo-id", "u-1", "--raw"],
}
DEADLY = 5
"""Changes: in the middle of each command."""


@pytest.mark.parametrize("name", COMMAND_LINES if EVERY_MOMENT else ["rebuild", "reprocess"])
def test_sigkill(name: str, spark: SparkSession, tmp_path: Path) -> None:
    """The command line in a process of its own, which the operating system ends."""
    command = COMMANDS[name]
    calm, job = (ready(command, tmp_path / each) for each in ("calm", "killed"))
    command.do(calm)
    go_on(command, calm)
    config = tmp_path / "pipeline.yaml"
    config.write_text(
        f"project_id: test\nsource: {{uri: {job.folder}/raw}}\nsink: {{uri: {job.folder}/lake}}\n"
        f"apps:\n  shop: {{transformer: clickstream_sdk}}\n{APPS}spark: {{master: 'local[2]'}}\n"
    )
    line = [sys.executable, "-m", "tests.support.killed", str(DEADLY), name, *COMMAND_LINES[name], "--config", str(config)]
    killed = subprocess.run(line, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2_000:]
    go_on(command, job)
    assert state(job) == state(calm)
