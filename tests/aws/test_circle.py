"""The whole circle: raw files on S3 → the Lambda's handler → the StartJobRun request → exactly that spark-submit → tables."""

from __future__ import annotations

import os
import signal
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
from tests.support.emr_serverless import EmrServerless, serving_emr, spark_submit
from tests.support.moto import REGION
from tests.support.package import Package
from tests.support.raw import event, line, write

BUCKET = "clickstream-circle"
CONFIG = f"""
project_id: circle
source: {{uri: s3://{BUCKET}/raw/}}
sink:   {{uri: s3://{BUCKET}/lake/}}
apps:   {{shop: {{transformer: clickstream_sdk}}}}
enrichers: [{{user_agent: {{}}}}, {{traffic_source: {{}}}}]
s3:     {{endpoint: "%s", region: {REGION}}}
emr:    {{python: python{sys.version_info.major}.{sys.version_info.minor}, tags: {{team: web}}}}
"""
ENVIRONMENT = {
    "CLICKSTREAM_CONFIG": f"s3://{BUCKET}/pipeline.yaml",
    "CLICKSTREAM_APPLICATION_ID": "00f1abcdefgh",
    "CLICKSTREAM_JOB_ROLE_ARN": "arn:aws:iam::123456789012:role/clickstream-job",
    "CLICKSTREAM_PACKAGE": f"s3://{BUCKET}/package",
    "CLICKSTREAM_LOG_URI": f"s3://{BUCKET}/logs/",
    "CLICKSTREAM_LOG_GROUP": "/clickstream/circle",
}
CONTEXT = SimpleNamespace(
    function_name="submitter", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:::submitter", aws_request_id="r"
)


@dataclass
class Circle:
    """The pipeline in its account."""

    s3: Any
    emr: EmrServerless
    endpoint: str
    folder: Path

    def put(self, name: str, *lines: str | bytes) -> None:
        path = write(self.folder / "raw", name, *lines)
        self.s3.upload_file(str(path), BUCKET, f"raw/{path.relative_to(self.folder / 'raw')}")

    def trigger(self) -> dict[str, Any]:
        return handler({"scheduled_time": "2026-05-29T00:00:00Z"}, CONTEXT)

    def work(self, interrupt: Callable[[], bool] | None = None) -> str:
        """Run the job that was started last, as EMR Serverless would; its output. ``interrupt`` says when to kill it."""
        self.emr.runs[-1]["state"] = "RUNNING"
        process = spark_submit(self.emr.requests[-1], self.s3, self.folder / "job")
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

    def has(self, key: str) -> bool:
        return self.s3.list_objects_v2(Bucket=BUCKET, Prefix=key)["KeyCount"] > 0

    def counts(self) -> dict[str, int]:
        lake = Lake(f"s3://{BUCKET}/lake", Storage(self.endpoint, REGION))
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
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="pipeline.yaml", Body=CONFIG % endpoint)
    for name in ("manifest.json", *here.manifest["files"]):
        s3.upload_file(str(here.folder / name), BUCKET, f"package/{name}")
    with serving_emr() as (emr, url), pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL_EMR_SERVERLESS": url}.items():
            patch.setenv(name, value)
        yield Circle(s3, emr, endpoint, folder)


def test_raw_files_become_tables_by_way_of_the_lambda(circle: Circle) -> None:
    circle.s3.put_object(Bucket=BUCKET, Key="raw/", Body=b"")  # as a console makes folders
    assert circle.trigger()["decision"] == "nothing is unprocessed"

    circle.put("a.gz", line(*(event(f"a-{number}") for number in range(100))))
    submitted = circle.trigger()
    assert (submitted["decision"], submitted["files"], submitted["job_run_id"]) == ("submit", 1, "run-1")
    assert circle.trigger()["decision"] == "another run is active"
    circle.work(interrupt=lambda: circle.has("lake/_checkpoints/ingest/2026-05/offsets/0"))

    circle.put("b.gz", line(event("a-0"), event("b"), rid="r-2"))
    killed = circle.trigger()
    assert (killed["files"], killed["unfinished_batch"], killed["job_run_id"]) == (2, True, "run-2")
    output = circle.work()
    assert '"Quarantined"' in output
    assert circle.counts() == {"event": 101, "users": 1, "in_sessions": 101, "batches": 2}
    assert circle.trigger()["decision"] == "nothing is unprocessed"

    circle.put("c.gz", line(event("c"), rid="r-3"))
    last = circle.trigger()
    assert (last["files"], last["unfinished_batch"], last["job_run_id"]) == (1, False, "run-3")
