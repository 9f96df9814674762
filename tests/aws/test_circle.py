"""The whole circle: raw files on S3 → the Lambda's handler → the StartJobRun request → exactly that spark-submit → tables."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from streaming_app.lake.lake import Lake
from streaming_app.lake.query import query
from streaming_app.storage.files import Storage
from submitter.handler import handler
from tests.support.authorized import Authorizer, serving_authorized
from tests.support.emr_serverless import EmrServerless, lay_delta_jars, serving_emr, spark_submit
from tests.support.infra import stack
from tests.support.moto import REGION
from tests.support.package import Package
from tests.support.raw import event, line, write
from tests.support.role import serving_credentials, serving_metadata

ARTIFACTS, RAW, LAKE = (f"clickstream-circle-{name}" for name in ("artifacts", "raw", "lake"))
CIRCLE_REGION = "eu-central-1"
"""Another one than the environment of the tests names: only what the submitter hands on leads the job there."""
CONFIG = f"""
project_id: circle
source: {{uri: s3://{RAW}/raw/}}
sink:   {{uri: s3://{LAKE}/lake/}}
apps:   {{shop: {{transformer: clickstream_sdk}}}}
enrichers: [{{user_agent: {{}}}}, {{traffic_source: {{}}}}]
s3:     {{endpoint: "%s"}}
emr:    {{python: python{sys.version_info.major}.{sys.version_info.minor}, tags: {{team: web}}}}
"""
ROLES = {"SUBMITTER": "SubmitterRole", "KEY": "JobRole"}
"""By access key."""
STACK = stack(
    ProjectId="circle",
    ArtifactBucket=ARTIFACTS,
    ArtifactPrefix="clickstream/package",
    SourceBucket=RAW,
    SinkBucket=LAKE,
)
ENVIRONMENT = {
    **STACK.resources["Submitter"]["Environment"]["Variables"],
    "CLICKSTREAM_APPLICATION_ID": "00f1abcdefgh",
    "CLICKSTREAM_JOB_ROLE_ARN": "arn:aws:iam::123456789012:role/clickstream-job",
    "AWS_REGION": CIRCLE_REGION,  # Lambda sets both
    "AWS_DEFAULT_REGION": CIRCLE_REGION,
}
CONTEXT = SimpleNamespace(
    function_name="submitter", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:::submitter", aws_request_id="r"
)


@dataclass
class Circle:
    """The pipeline in its account."""

    s3: Any
    emr: EmrServerless
    authorizer: Authorizer
    worker: dict[str, str]
    """Variables of a worker's environment: where its role's credentials are, and which services it could reach."""
    folder: Path

    @property
    def delta_jars(self) -> Path:
        return self.folder / "lib"

    def put(self, name: str, *lines: str | bytes) -> None:
        path = write(self.folder / "raw", name, *lines)
        self.s3.upload_file(str(path), RAW, f"raw/{path.relative_to(self.folder / 'raw')}")

    def trigger(self) -> dict[str, Any]:
        return handler({"scheduled_time": "2026-05-29T00:00:00Z"}, CONTEXT)

    def work(self, interrupt: Callable[[], bool] | None = None) -> str:
        """Run the job that was started last, as EMR Serverless would; its output. ``interrupt`` says when to kill it."""
        self.emr.runs[-1]["state"] = "RUNNING"
        process = self.start()
        if interrupt:
            while not interrupt():
                assert process.poll() is None, (self.folder / "job/stderr.txt").read_text()[-3_000:]
                time.sleep(0.05)
            os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=400)
        failed = process.returncode != 0
        assert failed == bool(interrupt), (self.folder / "job/stderr.txt").read_text()[-3_000:]
        self.emr.end("FAILED" if failed else "SUCCESS")
        return output

    def start(self) -> subprocess.Popen[str]:
        """The process of the job that was started last, with the rights of the job's role."""
        return spark_submit(self.emr.requests[-1], self.s3, self.folder / "job", self.delta_jars, self.worker)

    def has(self, key: str) -> bool:
        return self.s3.list_objects_v2(Bucket=LAKE, Prefix=key)["KeyCount"] > 0

    def counts(self) -> dict[str, int]:
        lake = Lake(f"s3://{LAKE}/lake", Storage(self.s3.meta.endpoint_url, REGION))
        [row] = query(
            lake,
            'SELECT (SELECT count(*) FROM event) AS event, (SELECT count(*) FROM "user") AS users, '
            "(SELECT sum(event_count) FROM session)::INT AS in_sessions, (SELECT count(*) FROM run_metrics) AS batches",
        ).to_pylist()
        return dict(row)


@pytest.fixture(scope="module")
def circle(endpoint: str, here: Package, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Circle]:
    folder = tmp_path_factory.mktemp("circle")
    (folder / "job").mkdir()
    s3 = boto3.client("s3", region_name=REGION, endpoint_url=endpoint)
    for bucket in (ARTIFACTS, RAW, LAKE):
        s3.create_bucket(Bucket=bucket)
    for name in ("manifest.json", *here.manifest["files"]):
        s3.upload_file(str(here.folder / name), ARTIFACTS, f"clickstream/package/{name}")
    with (
        serving_emr() as (emr, url),
        serving_authorized(STACK, ROLES) as (authorizer, authorized),
        serving_credentials(3600) as credentials,
        serving_metadata() as (asked, metadata),
        pytest.MonkeyPatch.context() as patch,
    ):
        s3.put_object(Bucket=ARTIFACTS, Key="clickstream/pipeline.yaml", Body=CONFIG % authorized)
        settings = {"AWS_ACCESS_KEY_ID": "SUBMITTER", "AWS_ENDPOINT_URL": authorized, "AWS_ENDPOINT_URL_EMR_SERVERLESS": url}
        for name, value in {**ENVIRONMENT, **settings}.items():
            patch.setenv(name, str(value))
        worker = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": credentials,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata,
            "AWS_ENDPOINT_URL": authorized,
        }
        yield Circle(s3, emr, authorizer, worker, folder)
        assert asked == [], "workers have no metadata service, and each look for it takes seconds"


def test_raw_files_become_tables_by_way_of_the_lambda(circle: Circle) -> None:
    circle.s3.put_object(Bucket=RAW, Key="raw/", Body=b"")  # as a console makes folders
    assert circle.trigger()["decision"] == "nothing is unprocessed"

    circle.put("a.gz", line(*(event(f"a-{number}") for number in range(100))))
    submitted = circle.trigger()
    assert (submitted["decision"], submitted["files"], submitted["job_run_id"]) == ("submit", 1, "run-1")
    assert circle.trigger()["decision"] == "another run is active"
    assert circle.authorizer.masked, "the lock, which is not there yet and whose bucket the Lambda may not list"
    _fails_without_delta(circle)

    lay_delta_jars(circle.delta_jars)
    assert circle.trigger()["job_run_id"] == "run-2"
    circle.work(interrupt=lambda: circle.has("lake/_checkpoints/ingest/2026-05/offsets/0"))

    circle.put("b.gz", line(event("a-0"), event("b"), rid="r-2"))
    killed = circle.trigger()
    assert (killed["files"], killed["unfinished_batch"], killed["job_run_id"]) == (2, True, "run-3")
    output = circle.work()
    assert '"Quarantined"' in output
    assert circle.counts() == {"event": 101, "users": 1, "in_sessions": 101, "batches": 2}
    assert circle.trigger()["decision"] == "nothing is unprocessed"

    circle.put("c.gz", line(event("c"), rid="r-3"))
    last = circle.trigger()
    assert (last["files"], last["unfinished_batch"], last["job_run_id"]) == (1, False, "run-4")

    assert circle.authorizer.refused == [], "the template's roles may not do what the code does"
    assert circle.authorizer.regions == {("SubmitterRole", CIRCLE_REGION), ("JobRole", CIRCLE_REGION)}


def _fails_without_delta(circle: Circle) -> None:
    """An image whose jars have other names: the job says what to set, and has written nothing."""
    circle.delta_jars.mkdir()
    process = circle.start()
    said, _ = process.communicate(timeout=400)  # Spark gives Python's errors out with its output
    assert process.returncode == 5, (circle.folder / "job/stderr.txt").read_text()[-3_000:]
    assert "the class org.apache.spark.sql.delta.DeltaLog cannot be loaded" in said
    assert "emr.delta_jars" in said
    assert not circle.has("lake/")
    circle.delta_jars.rmdir()
    circle.emr.end("FAILED")
