"""A zoo of raw files: whatever lies in the source, the run ends well, good files are counted, odd ones are in quarantine by name."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from streaming_app.backlog.any_objects import AnyObjects
from streaming_app.backlog.unprocessed import unprocessed
from streaming_app.backlog.windows import due_windows
from tests.spark.conftest import FAST
from tests.spark.job import Job
from tests.support.raw import event, line

pytestmark = pytest.mark.spark

GOOD = (
    "year=2026/month=05/good.gz",
    "year=2026/month=05/day=28/2026-05-28T20:00:00.gz",
    "year=2026/month=05/day=28/12:30/a.gz",
    "year=2026/month=05/day=28/a{1}[2]*?,(3).gz",
    "year=2026/month=05/d{1}/a.gz",
    "year=2026/month=05/d\\2/a\\b.gz",
    "year=2026/month=05/d[3/a}b.gz",
    "year=2026/month=05/d,*?/ a%20b#+é.gz",
    "year=2026/month=05/new\nline/a\nb.gz",
    f"year=2026/month=05/{'x' * 255}",
    "year=2026/month=05/~/a.gz",
    "web{1}/a,b.gz",
    "stray{2},.gz",
)
ODD = ("da:y{1}/a.gz", "a:b.gz", "year=2026/12:30/a.gz")
"""They lie beside the dated folders, so that Spark would have to be given their own paths."""


def put(folder: Path, name: str, content: bytes | None = None) -> Path:
    path = folder / "raw" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(line(event(name), rid=name)) if content is None else content)
    return path


def unread(job: Job) -> int:
    return sum(unprocessed(each, "*", AnyObjects()).files for each in due_windows(job.config, AnyObjects()))


def quarantined(job: Job) -> dict[str, tuple[str, str]]:
    rows = job.query("SELECT source_file, reason, message FROM quarantine WHERE stage = 'file' AND resolved_time IS NULL")
    return {row["source_file"].removeprefix(f"{job.folder}/raw/"): (row["reason"], row["message"]) for row in rows}


def read(job: Job) -> set[str]:
    return {row["event_id"] for row in job.query("SELECT event_id FROM event")}


def test_a_zoo_of_files(spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path, FAST)
    for name in (*GOOD, *ODD):
        put(tmp_path, name)
    month = tmp_path / "raw/year=2026/month=05"
    (month / "dangling.gz").symlink_to("nowhere")
    (month / "itself.gz").symlink_to("itself.gz")
    (month / "linked.gz").symlink_to(put(tmp_path, "../elsewhere.gz"))
    (tmp_path / "raw/dangling.gz").symlink_to("nowhere")
    (month / "loop").mkdir()
    (month / "loop/back").symlink_to(month)
    put(tmp_path, "year=2026/month=05/loop/a.gz")
    os.mkfifo(month / "pipe.gz")
    Path(os.fsdecode(os.fsencode(month) + b"/\xff.gz")).write_bytes(b"x")
    put(tmp_path, "year=2026/month=05/padded.log", line(event("padded")) + b"\n" + b"\0" * 2_000_000)
    put(tmp_path, "year=2026/month=05/cut.gz", gzip.compress(line(event("cut")) + b"\n" + os.urandom(9_000))[:-900])

    summary = job.run()
    good = {*GOOD, "../elsewhere.gz", "year=2026/month=05/loop/a.gz", "padded", "cut"}
    assert read(job) == good
    found = quarantined(job)
    odd = {*ODD, "dangling.gz", *(f"year=2026/month=05/{name}" for name in ("dangling.gz", "itself.gz", "loop/back", "\\xff.gz"))}
    assert {name for name, (reason, _) in found.items() if reason == "unreadable_file"} == odd
    assert found["year=2026/month=05/cut.gz"][0] == "malformed_line"
    assert (summary.set_aside, summary.counts["files"]) == (len(odd), len(good) + len(odd))
    assert unread(job) == 0

    assert job.run().batches == 0
    put(tmp_path, "year=2026/month=05/later.gz")
    later = job.run()
    assert (later.counts["written"], later.counts["files"], later.set_aside) == (1, 1, 0)
