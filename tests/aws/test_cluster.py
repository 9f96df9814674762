"""The job on a real cluster: executors are JVMs of their own, and share nothing with the driver but S3. Some of them die.

What a run ends in is what it ends in on one machine: ``tests/data/digest.json``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cli_process import Cli, cli_process
from tests.support.cluster import (
    IN_TASKS,
    SPECULATIVE,
    AfterCall,
    BucketJob,
    ExecutorKiller,
    Straggler,
    standalone_cluster,
)
from tests.support.digest import make_input, recorded
from tests.support.faults import Fault, Faults, serving_faults
from tests.support.raw import event, line, write

MakeJob = Callable[..., BucketJob]
FILES_PER_BATCH = 5
"""Two micro-batches of the story's eight files, so that the second one meets stored rows."""
FIRST_COMMIT, LAST_COMMIT = (rf"^PUT /\S+/lake/event/_delta_log/0+{number}\.json" for number in (1, 2))
"""The commit points of the micro-batches: after the last one is derive."""
EVENT_FILE, USER_FILE = (rf"/lake/{table}/[^?]+\.parquet" for table in ("event", "user"))


@pytest.fixture(scope="module")
def service(endpoint: str) -> Iterator[tuple[Faults, str]]:
    with serving_faults() as found:
        yield found


@pytest.fixture(scope="module")
def cluster(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """The process of the driver, whose cluster all tests of this file share."""
    with cli_process(tmp_path_factory.mktemp("cluster") / "jvm.log", IN_TASKS) as cli:
        yield cli


@pytest.fixture(scope="module")
def raw_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with raw files of all sources, and the rest of a configuration for it."""
    folder = tmp_path_factory.mktemp("story")
    return folder, make_input(folder)[1]


@pytest.fixture
def make_job(
    service: tuple[Faults, str], cluster: Cli, raw_files: tuple[Path, str], endpoint: str, tmp_path: Path
) -> Iterator[MakeJob]:
    """Makes a job over these files, in a bucket of its own."""
    faults, proxy = service

    def make() -> BucketJob:
        bucket = f"cluster-{uuid.uuid4().hex}"
        folder, extra = raw_files
        job = BucketJob(bucket, tmp_path, cluster, proxy, endpoint, extra.replace(str(folder), f"s3://{bucket}"))
        job.files_per_batch = FILES_PER_BATCH
        job.put([*(folder / "raw").rglob("*.gz"), folder / "geo.mmdb"], folder)
        return job

    faults.faults = []
    yield make
    faults.faults = []


def test_a_cluster_makes_the_recorded_tables_though_an_executor_dies_in_ingest(
    make_job: MakeJob, service: tuple[Faults, str]
) -> None:
    job, killer = make_job(), ExecutorKiller()
    service[0].faults = [Fault(killer, rf"^(PUT|POST) /\S+{EVENT_FILE}")]
    summary = job.done("run")
    assert len(killer.killed) == 1
    assert job.digests() == recorded()
    [off] = job.query("SELECT sum(received - written - duplicate - filtered - quarantined) AS off FROM run_metrics")
    assert (off["off"], summary["set_aside"]) == (0, 0)


LATER = {
    "as it looks for duplicates among stored rows": (FIRST_COMMIT, rf"^GET /\S+{EVENT_FILE}"),
    "as it reads new events for derive": (LAST_COMMIT, rf"^GET /\S+{EVENT_FILE}"),
    "as it writes users": (LAST_COMMIT, rf"^(PUT|POST) /\S+{USER_FILE}"),
}
"""When an executor dies: after a call, in a call of its own."""


@pytest.mark.exhaustive
@pytest.mark.parametrize("moment", LATER)
def test_an_executor_dies_later(moment: str, make_job: MakeJob, service: tuple[Faults, str]) -> None:
    after, calls = LATER[moment]
    job, killer = make_job(), ExecutorKiller()
    armed = AfterCall(killer)
    service[0].faults = [Fault(armed.begin, after), Fault(armed, calls)]
    job.done("run")
    assert len(killer.killed) == 1
    assert job.digests() == recorded()


@pytest.mark.exhaustive
def test_a_file_that_kills_executors_is_set_aside(
    cluster: Cli, service: tuple[Faults, str], endpoint: str, tmp_path: Path
) -> None:
    job = BucketJob(f"cluster-{uuid.uuid4().hex}", tmp_path, cluster, service[1], endpoint)
    job.transformer = "tests.support.killer:ExecutorEater"
    for name in "ac":
        write(tmp_path / "raw", f"{name}.gz", line(event(name), rid=name))
    bad = write(tmp_path / "raw", "b.gz", line(event("fine"), rid="fine"), line(event("kill")))
    job.put((tmp_path / "raw").rglob("*.gz"), tmp_path)
    summary = job.done("run")
    assert (summary["counts"]["files"], summary["set_aside"]) == (3, 1)
    assert {row["event_id"] for row in job.query("SELECT event_id FROM event")} == {"a", "c"}
    [aside] = job.query("SELECT reason, source_file, message FROM quarantine")
    assert (aside["reason"], aside["source_file"]) == ("unreadable_file", f"s3://{job.bucket}/{bad.relative_to(tmp_path)}")
    assert aside["message"].startswith("the task that reads it died: executor lost")
    assert job.done("run")["batches"] == 0


@pytest.mark.exhaustive
def test_speculation(make_job: MakeJob, service: tuple[Faults, str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """A task that waits is run on another host besides; both write their files to the end, and those of one of them count.

    Spark runs no second copy on the same host, which a local-cluster has only one of: this is a cluster of two.
    """
    straggler = Straggler()
    with (
        standalone_cluster(tmp_path_factory.mktemp("standalone")) as master,
        cli_process(tmp_path_factory.mktemp("cli") / "log") as cli,
    ):
        job = replace(make_job(), cli=cli, spark=SPECULATIVE.format(master=master))
        service[0].faults = [Fault(straggler, r"^GET /\S+/raw/[^?]+\.gz")]
        job.done("run")
    assert len(straggler.readers) == 2
    assert job.digests() == recorded()
