"""The submitter's formula is what a run comes to that is played task by task; a run of a billion events is worth its executors."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.simulate import Day, makespan, markdown, play
from streaming_app.config.emr import EmrSection
from streaming_app.spark import tasks
from submitter import sizing
from submitter.ratio import DEFAULT
from submitter.sizing import estimate

PERFORMANCE = Path(__file__).parents[3] / "docs/explanation/performance.md"


@pytest.mark.parametrize("events", [1_000_000, 30_000_000, 1_000_000_000])
@pytest.mark.parametrize("users", [0, 1_000_000, 100_000_000])
@pytest.mark.parametrize("executors", [1, 4, 16, 64])
def test_the_formula_is_the_simulation(events: int, users: int, executors: int) -> None:
    emr, day = EmrSection(), Day(events, users)
    played = play(emr, day, executors).estimate
    formula = estimate(emr, day.stored_bytes, DEFAULT, users, executors)
    assert formula.busy == pytest.approx(played.busy, rel=0.02)
    assert formula.alone == pytest.approx(played.alone)
    assert formula.seconds == pytest.approx(played.seconds, rel=0.25)


def test_a_billion_events_a_day_of_a_hundred_million_users() -> None:
    day = Day(1_000_000_000, 100_000_000)
    two, eight = (play(EmrSection(), day, executors).estimate for executors in (2, 8))
    assert two.seconds / eight.seconds / 4 >= 0.85
    assert eight.dollars / (day.events * sizing.EVENT_BYTES / 1e9) <= 0.003


def test_the_documented_table_is_what_the_module_prints() -> None:
    section = PERFORMANCE.read_text().split("\n## Runs of any size, simulated\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines(keepends=True) if line.startswith("|")]
    assert "".join(table) == markdown(EmrSection())


def test_a_hot_file_is_as_long_as_one_task_takes() -> None:
    even, hot = (play(EmrSection(), Day(100_000_000, 0, mb), 16).estimate for mb in (0.0, 2_000.0))
    assert hot.seconds - even.seconds > 2_000 * DEFAULT / EmrSection().sizing.decoded_mb_per_vcpu_second / 2


def test_tasks_go_to_the_processor_that_is_free_first() -> None:
    assert makespan([5, 1, 1, 1, 1], 2) == 5
    assert makespan([1, 1, 1, 5], 2) == 6


def test_constants_are_those_of_the_job() -> None:
    assert sizing.TASK_MB == tasks.TASK_BYTES >> 20
