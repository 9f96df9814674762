"""Runs continue with the tables and checkpoints of an older version that had fewer columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from streaming_app.commands import fill, optimize, rebuild, reprocess
from streaming_app.metrics.progress import LogProgress
from streaming_app.model.tables import TABLES
from tests.spark.job import Job
from tests.spark.test_again import DAY
from tests.spark.test_crash import write_first, write_second
from tests.support.killed import life_of, other_process_is_dead
from tests.support.old_layout import LAYOUTS, as_older, without
from tests.support.sources import APPS

FEWER = {
    "event": {"event_value", "is_bot", "geo_country", "traffic_source_clid"},
    "item": {"price", "brand"},
    "user": {"first_traffic_clid", "first_app_install_source"},
    "session": {"geo_country", "session_clid"},
    "change": {"user_id"},
    "item_attributes": {"is_deleted"},
}
"""Columns as a later version might add them; most of them are null in what the tests send."""


@pytest.fixture(scope="module")
def always_new(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Two runs, and nothing in between."""
    job = Job(tmp_path_factory.mktemp("new"), APPS)
    write_first(job.folder / "raw")
    job.run()
    write_second(job.folder / "raw")
    job.run()
    return job


@pytest.fixture(scope="module")
def before(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """With the checkpoints of both queries."""
    job = Job(tmp_path_factory.mktemp("once"), APPS)
    write_first(job.folder / "raw")
    job.run()
    return job


@pytest.fixture
def once_run(before: Job) -> Iterator[Job]:
    with before.kept_as_it_is() as job:
        yield job


@pytest.mark.parametrize("version", LAYOUTS)
def test_older_tables_are_migrated_and_updated(
    version: int, once_run: Job, always_new: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = once_run.derived_tables()
    as_older(once_run.folder / "lake", version)
    assert once_run.run().batches == 0
    assert old_rows(once_run.derived_tables()) == old_rows(before)
    write_second(once_run.folder / "raw")
    once_run.run()
    assert old_rows(once_run.derived_tables()) == old_rows(always_new.derived_tables())
    assert rebuild.run(once_run.config, ("user", "session"), LogProgress())["user"] > 0
    assert old_rows(once_run.derived_tables()) == old_rows(always_new.derived_tables())
    monkeypatch.setattr(fill, "ONE_TASK_BYTES", 0)  # in Spark's tasks
    assert optimize.run(once_run.config, TABLES.values(), LogProgress())["filled_files"] > 0
    assert once_run.derived_tables() == always_new.derived_tables()


def test_derive_continues_when_event_and_change_get_columns(once_run: Job, always_new: Job) -> None:
    """The stream of derive has read both tables without them; what it reads next has them."""
    without(once_run.folder / "lake", FEWER)
    write_second(once_run.folder / "raw")
    summary = once_run.run()
    assert summary.counts.written > 0
    assert known(once_run.derived_tables()) == known(always_new.derived_tables())
    old = once_run.rows("event", "event_id = 'a'")
    assert [{name: row[name] for name in FEWER["event"]} for row in old] == [dict.fromkeys(FEWER["event"])]
    reprocess.run(once_run.config, DAY, LogProgress())
    assert once_run.derived_tables() == always_new.derived_tables()


@pytest.mark.parametrize("moment", ["before commit user", pytest.param("after write windows", marks=pytest.mark.exhaustive)])
def test_derive_reads_files_left_by_a_crashed_older_version(moment: str, spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path, APPS)
    write_first(tmp_path / "raw")
    with life_of(moment) as life:
        job.run()
    assert life.is_over
    assert not job.rows("user")
    without(tmp_path / "lake", FEWER)
    with other_process_is_dead():
        job.run()
    made = job.derived_tables()
    rebuild.run(job.config, ("user", "session"), LogProgress())
    assert job.derived_tables() == made
    assert [len(made[name]) for name in ("user", "session", "item_attributes")] == [3, 4, 1]


def old_rows(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Without the column of the lineage that older files do not have; where it was read is not compared in any case."""
    return {name: [row | {"request_id": None} if "request_id" in row else row for row in rows] for name, rows in tables.items()}


def known(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """What is the same in rows that were written with and without the columns."""
    return {
        name: [{column: value for column, value in row.items() if column not in FEWER[name]} for row in rows]
        for name, rows in tables.items()
    }
