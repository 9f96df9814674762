"""Every command is killed after a change that it makes to what is stored, an ordinary run follows, then the command again: the
tables are those of a life without accidents. A moment in the middle of each by SIGKILL; all of them in the exhaustive search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from streaming_app.commands import backfill, erase, rebuild, replay, reprocess
from streaming_app.commands.erase.person import Person
from streaming_app.commands.replay import QuarantineFilter
from streaming_app.metrics.progress import LogProgress
from tests.spark.conftest import FAST
from tests.spark.job import Job
from tests.spark.test_again import DAY, with_rules
from tests.spark.test_crash import write_first, write_second
from tests.support.doomed import Doom, killed_at_once
from tests.support.killed import life_of, other_process_is_dead
from tests.support.raw import NOW, event, line, write
from tests.support.sources import APPS

OPEN = "SELECT reason, source_line, raw FROM quarantine WHERE resolved_time IS NULL ORDER BY ALL"
OF_DAY = ("--from", "2026-05-28", "--to", "2026-05-28")


def late(raw: Path) -> None:
    """Events that strict rules quarantine, and one whose day depends on the correction of its clock."""
    sent = [event(f"late-{n}", timestamp=NOW - n * 36_000_000, items=[{"id": "x"}]) for n in range(1, 4)]
    behind = NOW - 86_400_000
    moves = event("moves", timestamp=behind - 1_000, items=[{"id": "y"}], unique_id="u-moves")
    write(raw, "late.gz", line(*sent, rid="r-late"), line(moves, rid="r-moves", client_timestamp=behind))


@dataclass
class Command:
    """``do`` is the command and ``words`` what stands for it on the command line, ``moments`` are some in its middle. ``prepare``
    brings a job into the state in which it is given. ``as_new``: it ends in the tables of a job that has run with all files and
    the configuration of the end."""

    do: Callable[[Job], Any]
    words: tuple[str, ...]
    moments: tuple[str, ...]
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
    "backfill": Command(
        lambda job: backfill.run(job.config, DAY, LogProgress()),
        OF_DAY,
        ("after commit run_metrics",),
        prepare=lambda _: None,
    ),
    "reprocess": Command(
        lambda job: reprocess.run(job.config, DAY, LogProgress()),
        OF_DAY,
        ("after commit change", "after commit item"),
        with_trusted_clocks,
    ),
    "replay": Command(
        lambda job: replay.run(job.config, QuarantineFilter(), LogProgress()), (), ("after commit event",), with_strict_rules
    ),
    "rebuild": Command(lambda job: rebuild.run(job.config, ("user", "session"), LogProgress()), (), ("after commit user",)),
    "erase": Command(
        lambda job: erase.run(job.config, Person("shop", "u-1"), "delete", LogProgress(), raw=True),
        ("--app", "shop", "--user-pseudo-id", "u-1", "--raw"),
        ("after commit item",),
        as_new=False,
    ),
}
CASES = [(name, moment) for name, command in COMMANDS.items() for moment in command.moments]


def ready(command: Command, folder: Path) -> Job:
    job = Job(folder, APPS + FAST)
    write_first(folder / "raw")
    late(folder / "raw")
    command.prepare(job)
    return job


def go_on(command: Command, job: Job) -> None:
    """What follows an accident, or none: an ordinary run with new files, the command (again), and another run."""
    write_second(job.raw)
    job.run()
    command.do(job)
    job.run()


def state(job: Job) -> tuple[Any, ...]:
    balance = job.query("SELECT received - written - duplicate - filtered - quarantined AS off FROM run_metrics")
    return job.derived_tables(), job.query(OPEN), {row["off"] for row in balance}


@pytest.fixture(scope="module")
def expected(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, tuple[Any, ...]]:
    """What commands end in: the state of a new job with all files; that of an erasure which is not disturbed."""
    new = Job(tmp_path_factory.mktemp("new"), APPS)
    for arrive in (write_first, late, write_second):
        arrive(new.folder / "raw")
    new.run()
    erased = ready(COMMANDS["erase"], tmp_path_factory.mktemp("erased"))
    COMMANDS["erase"].do(erased)
    go_on(COMMANDS["erase"], erased)
    return {True: state(new), False: state(erased)}


@pytest.fixture(scope="module")
def killed(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Job]:
    """A job for each command and moment, where the operating system has ended the command."""
    jobs = {}
    for name, command in COMMANDS.items():
        first = ready(command, tmp_path_factory.mktemp(name))
        for moment in command.moments:
            jobs[name, moment] = first.copied(tmp_path_factory.mktemp(name)) if len(command.moments) > 1 else first
    killed_at_once(
        Doom(str(job.folder), [name, *COMMANDS[name].words, "--config", job.config_file()], moment)
        for (name, moment), job in jobs.items()
    )
    return jobs


@pytest.mark.parametrize(("name", "moment"), CASES)
def test_sigkill(name: str, moment: str, expected: dict[bool, tuple[Any, ...]], killed: dict[tuple[str, str], Job]) -> None:
    job = killed[name, moment]
    go_on(COMMANDS[name], job)
    assert state(job) == expected[COMMANDS[name].as_new]


@pytest.mark.exhaustive
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_killed_after_any_change_can_be_repeated(
    name: str, expected: dict[bool, tuple[Any, ...]], spark: SparkSession, tmp_path: Path
) -> None:
    command = COMMANDS[name]
    calm = ready(command, tmp_path / "calm")
    with life_of() as life:
        command.do(calm)
    assert len(life.changes) > 5
    for number, change in enumerate(life.changes):
        job = ready(command, tmp_path / str(number))
        with life_of(number) as cut:
            command.do(job)
        assert cut.is_over
        with other_process_is_dead():
            go_on(command, job)
        assert state(job) == expected[command.as_new], f"killed before {change}"
