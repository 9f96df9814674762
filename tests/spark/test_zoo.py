"""A zoo of raw files: whatever lies in the source, the run ends well, good files are counted, odd ones are in quarantine by name."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from streaming_app.backlog.source_partitions import due_partitions
from streaming_app.backlog.unprocessed import find_backlog
from streaming_app.commands import replay
from streaming_app.commands.replay import QuarantineFilter
from streaming_app.errors import SinkError
from streaming_app.metrics.progress import LogProgress
from streaming_app.spark import raw_file_stream
from streaming_app.spark.streams import MicroBatch
from streaming_app.spark.tasks import SizedFile
from streaming_app.storage.any_objects import AnyObjects
from streaming_app.storage.uris import from_hadoop_path
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
    path.write_bytes(gzip.compress(line(event(name[:200]), rid=name)) if content is None else content)
    return path


def unread(job: Job) -> int:
    return sum(find_backlog(each, "*", AnyObjects()).files for each in due_partitions(job.config, AnyObjects()))


def quarantined(job: Job) -> dict[str, tuple[str, str]]:
    rows = job.query("SELECT source_file, reason, message FROM quarantine WHERE stage = 'file' AND resolved_time IS NULL")
    return {row["source_file"].removeprefix(f"{job.folder}/raw/"): (row["reason"], row["message"]) for row in rows}


def read(job: Job) -> set[str]:
    return {row["event_id"] for row in job.query("SELECT event_id FROM event")}


def test_odd_files_are_quarantined_by_name(spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path, FAST)
    for name in (*GOOD, *ODD):
        put(tmp_path, name)
    month = tmp_path / "raw/year=2026/month=05"
    (month / "dangling.gz").symlink_to("nowhere")
    (month / "itself.gz").symlink_to("itself.gz")
    (month / "linked.gz").symlink_to(put(tmp_path, "_aside/linked.gz"))
    (month / "leads_out.gz").symlink_to(put(tmp_path, "../elsewhere.gz"))
    (month / "outside").symlink_to(tmp_path.parent)
    (tmp_path / "raw/dangling.gz").symlink_to("nowhere")
    (month / "loop").mkdir()
    (month / "loop/back").symlink_to(month)
    put(tmp_path, "year=2026/month=05/loop/a.gz")
    os.mkfifo(month / "pipe.gz")
    Path(os.fsdecode(os.fsencode(month) + b"/\xff.gz")).write_bytes(b"x")
    put(tmp_path, "year=2026/month=05/padded.log", line(event("padded")) + b"\n" + b"\0" * 2_000_000)
    put(tmp_path, "year=2026/month=05/cut.gz", gzip.compress(line(event("cut")) + b"\n" + os.urandom(9_000))[:-900])

    summary = job.run()
    good = {*(name[:200] for name in GOOD), "_aside/linked.gz", "year=2026/month=05/loop/a.gz", "padded", "cut"}
    assert read(job) == good
    found = quarantined(job)
    odd = {
        *ODD,
        "dangling.gz",
        *(
            f"year=2026/month=05/{name}"
            for name in ("dangling.gz", "itself.gz", "loop/back", "leads_out.gz", "outside", "\\udcff.gz")
        ),
    }
    assert {name for name, (reason, _) in found.items() if reason == "unreadable_file"} == odd
    assert found["year=2026/month=05/cut.gz"][0] == "malformed_line"
    assert (summary.set_aside, summary.counts.files) == (len(odd), len(good) + len(odd))
    assert unread(job) == 0

    assert job.run().batches == 0
    put(tmp_path, "year=2026/month=05/later.gz")
    later = job.run()
    assert (later.counts.written, later.counts.files, later.set_aside) == (1, 1, 0)


def test_plan_and_rows_name_the_same_raw_files(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[list[SizedFile], list[SizedFile]]] = []

    def both(spark: SparkSession, batch: MicroBatch) -> list[SizedFile]:
        rows = [SizedFile(from_hadoop_path(row["path"]), row["length"]) for row in batch.frame.collect()]
        told.append((raw_file_stream.files_from_plan(spark, batch), rows))
        return told[-1][0]

    monkeypatch.setattr("streaming_app.ingest.stream.files_of", both)
    job = Job(tmp_path, FAST)
    for name in (*GOOD, "year=2026/month=06/a b%20.gz"):
        put(tmp_path, name)
    put(tmp_path, "year=2026/month=06/nothing.gz", b"")
    job.run()
    assert len(told) == 3
    for planned, rows in told:
        assert sorted(planned, key=lambda file: file.uri) == sorted(rows, key=lambda file: file.uri)
        assert planned


def test_a_file_that_vanishes_between_listing_and_reading(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Spark has planned is gone when the tasks open it; the next run is not in its way."""
    planned = raw_file_stream.files_of

    def then_gone(spark: SparkSession, batch: MicroBatch) -> list[SizedFile]:
        found = planned(spark, batch)
        (tmp_path / "raw/year=2026/month=05/a.gz").unlink()
        return found

    job = Job(tmp_path, FAST)
    for name in ("a", "b"):
        put(tmp_path, f"year=2026/month=05/{name}.gz")
    with monkeypatch.context() as patch:
        patch.setattr("streaming_app.ingest.stream.files_of", then_gone)
        job.run()
    assert read(job) == {"year=2026/month=05/b.gz"}
    assert set(quarantined(job)) == {"year=2026/month=05/a.gz"}
    assert job.run().batches == 0


@pytest.fixture
def killing(tmp_path: Path) -> Job:
    job = Job(tmp_path, FAST)
    app = job.config.apps["shop"].model_copy(update={"transformer": "tests.support.killer:Killer"})
    job.config = job.config.model_copy(update={"apps": {"shop": app}})
    return job


def test_a_file_that_kills_its_task_is_set_aside(spark: SparkSession, killing: Job, tmp_path: Path) -> None:
    first, bad, last = names = [f"year=2026/month=05/{number}.gz" for number in range(3)]
    for name in names:
        put(tmp_path, name)
    put(tmp_path, bad, gzip.compress(line(event("fine"), rid=bad) + b"\n" + line(event("kill"))))
    summary = killing.run()
    assert quarantined(killing) == {
        bad: ("unreadable_file", "the task that reads it died: Python worker exited unexpectedly (crashed)")
    }
    assert read(killing) == {first, last}
    assert (summary.counts.files, summary.set_aside) == (3, 1)

    put(tmp_path, bad)
    result = replay.run(killing.config, QuarantineFilter(reasons=("unreadable_file",)), LogProgress())
    assert (result["tried"], result["resolved"], result["written"]) == (1, 1, 1)
    assert quarantined(killing) == {}
    assert read(killing) == set(names)


def test_files_that_all_kill_their_task(spark: SparkSession, killing: Job, tmp_path: Path) -> None:
    """The machine is suspected first: two runs end with an error that names the batch and a file; then the stream goes on."""
    for name in "ab":
        put(tmp_path, f"year=2026/month=05/{name}.gz", gzip.compress(line(event("kill"))))
    for times in (1, 2):
        with pytest.raises(SinkError, match=r"tasks of all 2 files died, of .*/a.gz: Python worker exited") as failed:
            killing.run()
        assert ("which has failed 2 runs in a row" in str(failed.value)) is (times == 2)
        assert "micro-batch 0 of 2026-05" in str(failed.value)
    put(tmp_path, "year=2026/month=05/good.gz")
    assert killing.run().set_aside == 2
    assert read(killing) == {"year=2026/month=05/good.gz"}
