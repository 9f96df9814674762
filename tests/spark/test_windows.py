"""The backlog and Spark's file source agree on the unprocessed files in every folder layout; late files are found, old ones skipped."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from streaming_app import pipeline
from streaming_app.backlog.source_partitions import due_partitions
from streaming_app.backlog.unprocessed import find_backlog
from streaming_app.storage.any_objects import AnyObjects
from tests.spark.job import Job
from tests.support.raw import event, line

OBJECTS = AnyObjects()


def put(job: Job, name: str, content: bytes | None = None) -> None:
    """A raw file with one event, which has the file's name."""
    path = job.folder / "raw" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    request = line(event(name), rid=name) + b"\n"
    path.write_bytes(content if content is not None else gzip.compress(request, mtime=0))


def unread(job: Job) -> int:
    return sum(find_backlog(each, "*", OBJECTS).files for each in due_partitions(job.config, OBJECTS))


def read(job: Job) -> set[str]:
    return {row["event_id"] for row in job.query("SELECT event_id FROM event")}


NAMES = (
    "year=2026/month=05/day=28/hour=20/a.gz",
    "year=2026/month=05/day=28/b.gz",
    "year=2026/month=05/c {x},[y]*?.gz",
    "year=2026/month=05/ümläut & 100%.gz",
    "year=2026/month=06/day=01/hour=00/d.gz",
    "year=2026/month=6/e.gz",
    "year=2026/f.gz",
    "g, {h}.gz",
    "web/year=2026/month=05/i.gz",
)
HIDDEN = ("_SUCCESS", "year=2026/month=05/.j.gz", "year=2026/month=05/_temporary/k.gz", "year=2026/month=05/l.gz._COPYING_")


def test_any_layout_is_read_to_its_end(spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path)
    for name in (*NAMES, *HIDDEN):
        put(job, name)
    put(job, "year=2026/month=05/empty.gz", b"")
    assert unread(job) == len(NAMES) + 1
    summary = job.run()
    assert summary.counts.files == len(NAMES)  # Spark notes the empty file, but hands out none without a byte
    assert (read(job), unread(job)) == (set(NAMES), 0)
    windows = {row["window"] for row in job.query('SELECT DISTINCT "window" FROM run_metrics')}
    assert windows == {"2026-05", "2026-06", "rest"}


def test_late_files_are_found_as_far_back_as_is_configured(spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path, "")
    for month in (4, 5, 6, 7):
        put(job, f"year=2026/month=0{month}/a.gz")
    job.run()
    for month in (4, 5, 7):
        put(job, f"year=2026/month=0{month}/late.gz")
    summary = job.run()
    late = {name for name in read(job) if name.endswith("late.gz")}
    assert late == {"year=2026/month=05/late.gz", "year=2026/month=07/late.gz"}  # two windows before the newest
    assert summary.counts.files == 2


def test_a_run_without_new_files_starts_no_query(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(tmp_path)
    put(job, NAMES[0])
    job.run()
    monkeypatch.setattr(pipeline, "get_session", None)
    assert job.run().batches == 0


def test_a_backlog_of_many_folders_is_read_by_its_window(spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path)
    for number in range(230):
        put(job, f"year=2026/month=05/{number}/a.gz")
    assert job.run().counts.files == 230
    assert unread(job) == 0
