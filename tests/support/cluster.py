"""A pipeline on Spark's local-cluster: driver and executors share nothing but a bucket, and executors die as a test wants it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from threading import Event, Lock
from typing import Any

import boto3
import psutil
import pyspark

from streaming_app.config.java_options import SHORT_JOB_JVM
from streaming_app.lake.lake import Lake
from streaming_app.spark.java import ensure_java
from streaming_app.storage.files import Storage
from tests.support.cli_process import ROOT, Cli, Done
from tests.support.digest import TABLES, digest
from tests.support.faults import Answer, reset
from tests.support.lake import rows_of, without_lineage
from tests.support.moto import REGION

CLUSTER = f"""
spark:
  master: local-cluster[2,1,1024]
  conf:
    spark.sql.shuffle.partitions: "2"
    spark.sql.adaptive.enabled: "false"
    spark.databricks.delta.snapshotPartitions: "1"
    spark.task.maxFailures: "2"
    spark.executorEnv.PYTHONPATH: {ROOT}
"""
"""Two executors with a core each. They find plugins of the tests as they would find installed ones. A task is tried twice, so that
a file that kills executors kills few of them."""


IN_TASKS = {
    ("streaming_app.derive.update", "COLLECT_BYTES"): -1,
    ("streaming_app.derive.update", "SHARE_EVENT_BYTES"): 20_000,
    ("streaming_app.ingest.commit.task_runner", "SMALL_SECONDS"): -1,
}
"""Constants of a driver that leaves all steps to tasks, as with much data."""


@dataclass
class BucketJob:
    """A pipeline over ``raw`` into ``lake`` of a bucket; ``extra`` is further YAML. Its processes are led to ``endpoint``."""

    bucket: str
    folder: Path
    cli: Cli
    endpoint: str
    straight: str
    extra: str = ""
    transformer: str = "clickstream_sdk"
    files_per_batch: int = 100
    spark: str = CLUSTER
    """The section of the configuration."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.s3 = boto3.client("s3", region_name=REGION, endpoint_url=self.straight)
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_object(Bucket=self.bucket, Key="raw/", Body=b"")
        self.lake = Lake(f"s3://{self.bucket}/lake", Storage(self.straight, REGION))

    def put(self, files: Iterable[Path], root: Path) -> None:
        """Bring files to the bucket, under their names below ``root``."""
        for file in files:
            self.s3.upload_file(str(file), self.bucket, str(file.relative_to(root)))

    def run(self, *command: str) -> Done:
        path = self.folder / "pipeline.yaml"
        path.write_text(
            f"project_id: test\nsource: {{uri: s3://{self.bucket}/raw, max_files_per_batch: {self.files_per_batch}}}\nsink: {{uri: s3://{self.bucket}/lake}}\n"
            f's3: {{endpoint: "{self.endpoint}", region: {REGION}}}\napps:\n  shop: {{transformer: "{self.transformer}"}}\n{self.extra}{self.spark}'
        )
        return self.cli(*command, "--config", str(path), "--json")

    def done(self, *command: str) -> dict[str, Any]:
        done = self.run(*command)
        assert done.code == 0, done.err
        found: dict[str, Any] = json.loads(done.out)
        return found

    def query(self, sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = rows_of(self.lake, sql).to_pylist()
        return rows

    def digests(self) -> dict[str, str]:
        """Those of the tables, as :mod:`tests.support.digest` has recorded them."""
        return {table: digest(self._rows(table)) for table in TABLES}

    def _rows(self, table: str) -> list[dict[str, Any]]:
        found = rows_of(self.lake, f'SELECT * FROM "{table}"')
        return list(found.select(without_lineage(table, found.column_names)).to_pylist())


def executor_above(process: psutil.Process) -> psutil.Process | None:
    """The JVM of the executor that a process belongs to; None for one of the driver's."""
    above = (process, *process.parents())
    return next((each for each in above if "CoarseGrainedExecutorBackend" in " ".join(each.cmdline())), None)


def caller(environ: dict[str, Any]) -> psutil.Process | None:
    """The process on this machine that makes a call to a server of this process."""
    here, there = int(environ["SERVER_PORT"]), int(environ["REMOTE_PORT"])
    for connection in psutil.net_connections("tcp"):
        if connection.raddr and (connection.laddr.port, connection.raddr.port) == (there, here) and connection.pid:
            return psutil.Process(connection.pid)
    return None


@dataclass
class ExecutorKiller:
    """Kills the executor that makes a call, by SIGKILL; calls of the driver pass, and those ``before`` is not behind.

    An answer of :class:`tests.support.faults.Fault`. ``times`` executors die.
    """

    times: float = 1
    killed: list[int] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def __call__(self, app: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        process = caller(environ)
        executor = process and executor_above(process)
        with self.lock:
            if executor and len(self.killed) < self.times and executor.pid not in self.killed:
                os.kill(executor.pid, signal.SIGKILL)
                self.killed.append(executor.pid)
                executor.wait(30)
                return reset(app, environ, start)
        return list(app(environ, start))


@dataclass
class AfterCall:
    """An answer that passes calls to ``answer`` from the moment on when ``begin`` was called."""

    answer: Answer
    begun: Event = field(default_factory=Event)

    def begin(self, app: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """An answer for the call that begins it."""
        self.begun.set()
        return list(app(environ, start))

    def __call__(self, app: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        return self.answer(app, environ, start) if self.begun.is_set() else list(app(environ, start))


@dataclass
class Straggler:
    """The first reader of the first file waits until another executor reads the same one. ``readers`` are these executors.

    An answer of :class:`tests.support.faults.Fault`.
    """

    readers: set[int] = field(default_factory=set)
    path: str = ""
    both: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def __call__(self, app: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        process = caller(environ)
        executor = process and executor_above(process)
        with self.lock:
            self.path = self.path or (environ["PATH_INFO"] if executor else "")
            waits = executor is not None and environ["PATH_INFO"] == self.path
            if executor is not None and waits:
                self.readers.add(executor.pid)
                if len(self.readers) > 1:
                    self.both.set()
        if waits:
            assert self.both.wait(120)
        return list(app(environ, start))


SPECULATIVE = """
spark:
  master: {master}
  conf:
    spark.sql.shuffle.partitions: "2"
    spark.sql.adaptive.enabled: "false"
    spark.databricks.delta.snapshotPartitions: "1"
    spark.default.parallelism: "2"
    spark.speculation: "true"
    spark.speculation.interval: 100ms
    spark.speculation.multiplier: "1"
    spark.speculation.quantile: "0.1"
    spark.speculation.minTaskRuntime: 100ms
"""


@contextmanager
def standalone_cluster(folder: Path) -> Iterator[str]:
    """Spark's own cluster: a master, and two workers with a core each, which are on hosts of their own; yields the master's URL."""
    ensure_java()
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    master = f"spark://127.0.0.1:{port}"
    commands = [["master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]]
    for host in ("127.0.0.2", "127.0.0.3"):
        sizes = ["--cores", "1", "--memory", "1g", "--webui-port", "0", "--work-dir", str(folder / host)]
        commands.append(["worker.Worker", "--host", host, *sizes, master])
    home = Path(pyspark.__file__).parent
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_DAEMON_JAVA_OPTS": SHORT_JOB_JVM}
    processes = []
    try:
        for name, *arguments in commands:
            command = [str(home / "bin/spark-class"), f"org.apache.spark.deploy.{name}", *arguments]
            with (folder / f"{len(processes)}.log").open("w") as log:
                processes.append(subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log))
        yield master
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(60)
