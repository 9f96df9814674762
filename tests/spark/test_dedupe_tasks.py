"""Deduplication in Spark's tasks ends in the rows that the driver ends in alone, and small runs start no task for it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from streaming_app.ingest.commit import deduplicate, task_runner
from tests.spark.job import Job
from tests.support.raw import NOW, event, line, write

RULES = "rules: {freshness_hours: 9000, clock_correction: false}\n"
DAY = 86_400_000
EVENTS, RUNS = 12_000, 3


def requests_of(run: int) -> list[bytes]:
    """Events of three days, each in most of the runs: the earliest of its duplicates comes in any of them."""
    random = Random(run)
    lines = [b"broken"]  # the same in each run, from another file
    for number in range(0, EVENTS, 10):
        sent = [
            event(
                f"e-{each}",
                unique_id=f"u-{each % 50}",
                timestamp=NOW - (each % 3) * DAY - random.randrange(9) * 1_000,
                items=[{"id": f"sku-{run}"}] if each % 4 == 0 else None,
            )
            for each in range(number, number + 10)
            if random.random() < 0.7
        ]
        lines.append(line(*sent, rid=f"r-{run}-{number}", ingest_time=NOW + run * 1_000, client_timestamp=None))
    return lines


def run_job(folder: Path) -> Job:
    job = Job(folder, RULES)
    for run in range(RUNS):
        lines = requests_of(run)
        write(folder / "raw", f"{run}-a.gz", *lines[: len(lines) // 2])
        write(folder / "raw", f"{run}-b.gz", *lines[len(lines) // 2 :])
        counts = job.run().counts
        assert counts.received == counts.written + counts.duplicate + counts.filtered + counts.quarantined
    return job


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the steps of a commit ran in tasks."""
    calls: Counter[str] = Counter()
    for name in ("run_tasks", "exchange"):
        real = getattr(task_runner, name)

        def count(spark: SparkSession | None, *rest: Any, name: str = name, real: Any = real) -> list[bytes]:
            calls[name] += spark is not None
            return list(real(spark, *rest))

        monkeypatch.setattr(task_runner, name, count)
    return calls


def test_tasks_find_what_the_driver_finds(
    spark: SparkSession, used: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = run_job(tmp_path / "alone")
    assert sum(used.values()) == 0
    monkeypatch.setattr(task_runner, "SMALL_SECONDS", 0.0)
    monkeypatch.setattr(deduplicate, "SMALL_SECONDS", 0.0)
    monkeypatch.setattr(deduplicate, "RANGE_HASHES", 700)
    in_tasks = run_job(tmp_path / "in_tasks")
    # In each run a search, and the comparison of quarantine; in all but the first, rewrites of event and item, and a comparison.
    assert used["exchange"] >= RUNS - 1
    assert used["run_tasks"] >= 2 * RUNS + 2 * (RUNS - 1)
    assert in_tasks.derived_tables() == alone.derived_tables()
    assert len(in_tasks.rows("quarantine")) == len(alone.rows("quarantine")) == RUNS
    index_files = sorted((tmp_path / "in_tasks/lake/event/_ids").rglob("*.ids"))
    assert index_files
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    spark.sql(f"VACUUM delta.`{tmp_path}/in_tasks/lake/event` RETAIN 0 HOURS")
    assert sorted((tmp_path / "in_tasks/lake/event/_ids").rglob("*.ids")) == index_files
