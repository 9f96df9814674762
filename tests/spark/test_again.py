"""Backfill, replay, reprocess and rebuild give the same tables as one clean run."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from streaming_app.commands import backfill, rebuild, replay, reprocess
from streaming_app.commands.check.check_tables import check_tables
from streaming_app.commands.days import Days
from streaming_app.commands.replay import QuarantineFilter
from streaming_app.metrics.progress import LogProgress
from tests.spark.job import Job
from tests.spark.test_crash import QUARANTINE, write_first, write_second
from tests.support.raw import NOW, event, line, write
from tests.support.sources import APPS

DAY = Days(date(2026, 5, 28), date(2026, 5, 28))
DERIVED = ("user", "session", "item_attributes")


@pytest.fixture(scope="module")
def clean(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Everything in one run."""
    job = Job(tmp_path_factory.mktemp("clean"), APPS)
    write_first(job.folder / "raw")
    write_second(job.folder / "raw")
    job.run()
    return job


def test_backfill_before_between_and_after_ordinary_runs(clean: Job, spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path, APPS)
    write_first(tmp_path / "raw")
    assert backfill.plan(job.config, DAY).files == 1
    first = backfill.run(job.config, DAY, LogProgress())
    assert first.counts.duplicate == 0
    write_second(tmp_path / "raw")
    job.run()
    again = backfill.run(job.config, DAY, LogProgress())
    assert again.counts.received == again.counts.duplicate > 0
    assert job.derived_tables() == clean.derived_tables()
    assert job.query(QUARANTINE) == clean.query(QUARANTINE)
    assert not (tmp_path / "lake/_checkpoints/backfill").is_dir() or not list((tmp_path / "lake/_checkpoints/backfill").iterdir())
    operations = job.query("SELECT operation, status FROM operation ORDER BY created_time")
    assert [(row["operation"], row["status"]) for row in operations] == [("backfill", "started"), ("backfill", "done")] * 2


def test_rebuild_gives_the_rows_of_derive(clean: Job) -> None:
    before = clean.derived_tables()
    made = rebuild.run(clean.config, ("user", "session"), LogProgress())
    assert made == {name: len(before[name]) for name in ("user", "session")}
    assert clean.derived_tables() == before
    write(clean.folder / "raw", "later.gz", line(event("a")))
    clean.run()
    assert clean.derived_tables() == before


BLOG = "  blog: {transformer: clickstream_sdk}\n"


def mixed(raw: Path) -> None:
    """What a configuration without the app blog, or with strict rules, quarantines: single events, whole payloads, whole lines."""
    late = event("late", timestamp=NOW - 5 * 86_400_000)
    write(raw, "a.gz", line(event("a")), line(event("b", app_id="blog"), event("c"), rid="r-2"), b"broken")
    write(raw, "b.gz", line(event("d"), appId="blog", rid="r-3"), line(late, event("e"), {"bad": 1}, rid="r-4"))
    write(raw, "c.gz", line(event("f", app_id="blog"), event("g", app_id="blog"), appId="blog", rid="r-5", ip="198.51.100.9"))


def test_replay_stores_each_accepted_element_once(spark: SparkSession, tmp_path: Path) -> None:
    strict, lenient = Job(tmp_path / "strict"), Job(tmp_path / "lenient", f"{BLOG}rules: {{freshness_hours: 240}}\n")
    for job in (strict, lenient):
        mixed(job.folder / "raw")
        job.run()
    before = strict.query("SELECT * FROM quarantine")
    strict.config = lenient.config.model_copy(update={"sink": strict.config.sink, "source": strict.config.source})
    everything = QuarantineFilter()
    told = replay.plan(strict.config, everything)
    done = replay.run(strict.config, everything, LogProgress())
    assert told["pass"] == done["resolved"] == done["written"] > 0
    assert strict.derived_tables() == lenient.derived_tables()
    left = strict.query("SELECT reason, source_line, raw FROM quarantine WHERE resolved_time IS NULL ORDER BY ALL")
    assert left == lenient.query(QUARANTINE)
    assert len(strict.query("SELECT * FROM quarantine")) == len(before)
    assert replay.run(strict.config, everything, LogProgress())["resolved"] == 0
    assert strict.derived_tables() == lenient.derived_tables()
    strict.run()
    assert strict.derived_tables() == lenient.derived_tables()


def test_replay_takes_only_the_selected_rows(spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path)
    mixed(tmp_path / "raw")
    job.run()
    job.config = job.config.model_copy(update={"rules": job.config.rules.model_copy(update={"freshness_hours": 240})})
    assert replay.run(job.config, QuarantineFilter(("unknown_app",)), LogProgress())["resolved"] == 0
    assert replay.run(job.config, QuarantineFilter(app_id="blog"), LogProgress())["resolved"] == 0
    assert replay.run(job.config, QuarantineFilter(("too_late",)), LogProgress())["resolved"] == 1


def test_replay_of_a_payload_that_failed_as_a_whole(spark: SparkSession, tmp_path: Path) -> None:
    """Elements that fail now get rows of their own, the others land."""
    job = Job(tmp_path, "limits: {max_events_per_request: 2}\n")
    many: list[Any] = [event("a"), {"bad": 1}, event("b")]
    write(tmp_path / "raw", "a.gz", line(*many))
    job.run()
    assert [row["reason"] for row in job.query("SELECT reason FROM quarantine")] == ["too_large"]
    job.config = job.config.model_copy(update={"limits": job.config.limits.model_copy(update={"max_events_per_request": 10})})
    done = replay.run(job.config, QuarantineFilter(), LogProgress())
    assert (done["resolved"], done["written"]) == (1, 2)
    rows = job.query("SELECT reason, raw, resolved_time IS NULL AS open FROM quarantine ORDER BY open")
    assert [(row["reason"], row["open"]) for row in rows] == [("too_large", False), ("malformed_event", True)]
    assert json.loads(rows[1]["raw"]) == {"bad": 1}


def with_rules(job: Job, **rules: Any) -> None:
    """Change the rules of a job that has run."""
    job.config = job.config.model_copy(update={"rules": job.config.rules.model_copy(update=rules)})


def rule_cases(raw: Path) -> None:
    """Events near midnight, late ones, and ones with a wrong clock: what becomes of them depends on the rules."""
    midnight = 1_779_926_400_000
    write_first(raw)
    for number, hours in enumerate((-1, 1, 30, 60, 100)):
        sent = [event(f"h-{number}-{n}", timestamp=midnight + n * 3_600_000, unique_id=f"u-{n}") for n in range(-2, 3)]
        received = midnight + hours * 3_600_000
        write(raw, f"h{number}.gz", line(*sent, rid=f"h-{number}", ingest_time=received, client_timestamp=received - 1_000))


WEEK = Days(date(2026, 5, 20), date(2026, 6, 2))


@pytest.fixture(scope="module")
def by_todays_rules(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, list[dict[str, list[Any]]]]:
    """Two clean runs; the tables after each."""
    new = Job(tmp_path_factory.mktemp("new"), APPS)
    tables = []
    for arrive in (rule_cases, write_second):
        arrive(new.folder / "raw")
        new.run()
        tables.append(new.derived_tables())
    return new, tables


RULES_BEFORE = [
    ({"freshness_hours": 24}, WEEK),
    pytest.param({"freshness_hours": 240}, DAY, marks=pytest.mark.exhaustive),
    pytest.param({"clock_correction": False}, DAY, marks=pytest.mark.exhaustive),
]


@pytest.mark.parametrize(("before", "days"), RULES_BEFORE, ids=str)
def test_reprocess_equals_a_clean_run_with_the_current_rules(
    before: dict[str, Any], days: Days, by_todays_rules: tuple[Job, list[dict[str, list[Any]]]], tmp_path: Path
) -> None:
    """Of one day, too: whatever the rules move over midnight is there once."""
    new, tables = by_todays_rules
    old = Job(tmp_path, APPS)
    rule_cases(old.folder / "raw")
    todays = old.config
    with_rules(old, **before)
    old.run()
    assert old.derived_tables() != tables[0]
    old.config = todays
    write_second(old.folder / "raw")
    old.run()
    done = reprocess.run(old.config, days, LogProgress())
    assert days is not WEEK or done["days"] == 14
    assert old.derived_tables() == tables[1]
    assert old.query(f"{QUARANTINE[: QUARANTINE.index('ORDER')]} WHERE resolved_time IS NULL ORDER BY ALL") == new.query(
        QUARANTINE
    )
    assert [found.name for found in check_tables(old.config, 100, LogProgress()) if found.problems] == []
    old.run()
    again = reprocess.run(old.config, days, LogProgress())
    assert (again["resolved"], again["quarantined"], again["kept"]) == (0, 0, 0)
    assert old.derived_tables() == tables[1]


def test_reprocess_leaves_other_raw_files_alone(spark: SparkSession, tmp_path: Path) -> None:
    """Also on the days that it exchanges: a file that came a week later has an event of them."""
    job = Job(tmp_path, APPS)
    rule_cases(tmp_path / "raw")
    week = 7 * 86_400_000
    late = event("first", event_type="_first_open", timestamp=NOW - 86_400_000, unique_id="u-late")
    path = write(
        tmp_path / "raw", "late.gz", line(late, event("own", timestamp=NOW + week), rid="r-late", ingest_time=NOW + week)
    )
    other = Path(str(path).replace("month=05/day=28", "month=06/day=04"))
    other.parent.mkdir(parents=True)
    path.rename(other)
    job.run()
    job.config = job.config.model_copy(update={"project_id": "renamed"})
    reprocess.run(job.config, DAY, LogProgress())
    projects = job.query("SELECT event_id, project_id, count(*) AS n FROM event GROUP BY ALL")
    assert {row["n"] for row in projects} == {1}
    assert {row["event_id"] for row in projects if row["project_id"] == "test"} == {"first", "own"}


def test_reprocess_keeps_events_whose_raw_file_is_missing(spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path, APPS)
    rule_cases(tmp_path / "raw")
    job.run()
    before = job.derived_tables()
    next((tmp_path / "raw").rglob("a.gz")).unlink()
    done = reprocess.run(job.config, WEEK, LogProgress())
    assert done["kept"] > 0
    assert done["before"] == done["after"]
    assert job.derived_tables() == before
