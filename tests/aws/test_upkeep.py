"""optimize, vacuum, tables check and doctor on S3."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.query import query
from streaming_app.model.tables import TABLES
from streaming_app.storage.files import Storage
from tests.support.cli_process import Cli
from tests.support.lake import LocalPipeline
from tests.support.moto import REGION
from tests.support.upkeep import APPS, LOGS, busy_lake, contents

BUCKET = "clickstream-upkeep"
CONFIG = f"""
project_id: test
source: {{uri: s3://{BUCKET}/raw/}}
sink:   {{uri: s3://{BUCKET}/lake/}}
apps:
  shop: {{transformer: clickstream_sdk}}
{APPS}s3: {{endpoint: "ENDPOINT", region: {REGION}}}
"""


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    return busy_lake(tmp_path_factory.mktemp("local"))


@pytest.fixture(scope="module")
def s3(endpoint: str, local: LocalPipeline) -> Any:
    """The bucket with that lake in it."""
    client = boto3.client("s3", endpoint_url=endpoint, region_name=REGION)
    client.create_bucket(Bucket=BUCKET)
    for path in local.folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), BUCKET, str(path.relative_to(local.folder)))
    client.put_object(Bucket=BUCKET, Key="pipeline.yaml", Body=CONFIG.replace("ENDPOINT", endpoint))
    return client


def keys(s3: Any, prefix: str) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return {each["Key"] for page in pages for each in page.get("Contents", ())}


Call = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def call(cli: Cli) -> Call:
    """Exit code, and what a command printed as JSON. In another process: where deltalake looks whether there is a table,
    it holds Python's lock while it waits for S3, whose server is in this process."""

    def call(*arguments: str, config: str = f"s3://{BUCKET}/pipeline.yaml") -> tuple[int, list[dict[str, Any]]]:
        done = cli(*arguments, "--json", "-c", config)
        return done.code, [json.loads(row) for row in done.out.splitlines()]

    return call


def test_a_week_of_upkeep(call: Call, s3: Any, endpoint: str, local: LocalPipeline) -> None:
    lake = Lake(f"s3://{BUCKET}/lake", Storage(endpoint, REGION))
    wanted = contents(local)

    def rows() -> dict[str, Any]:
        return {name: query(lake, f'SELECT * FROM "{name}" ORDER BY ALL').to_pylist() for name in TABLES if name not in LOGS}

    before = keys(s3, "lake/event/")
    code, [done] = call("optimize")
    assert (code, done["files_after"] < done["files_before"]) == (0, True)
    assert rows() == wanted
    assert before < keys(s3, "lake/event/")
    assert call("optimize") == (0, [{"partitions": 0}])

    s3.put_object(Bucket=BUCKET, Key="lake/event/part-orphan.zstd.parquet", Body=b"x")
    stored = keys(s3, "lake/")
    assert call("vacuum", "--force")[1] == [{"files": 0, "bytes": 0, "log_entries": 0}]  # all of it is young
    code, [plan] = call("vacuum", "--force", "--retention-hours", "0", "--dry-run")
    assert (code, keys(s3, "lake/")) == (0, stored)
    code, [gone] = call("vacuum", "--force", "--retention-hours", "0")
    assert (code, gone["files"]) == (0, sum(each["files"] for each in plan["plan"]))
    live = {f"lake/event/{file.path}" for file in live_files(lake.open(TABLES["event"]))}
    assert {key for key in keys(s3, "lake/event/") if "_delta_log" not in key} == live
    assert rows() == wanted

    put_derive_checkpoint(s3, lake)
    code, checked = call("tables", "check")
    assert (code, [problem for each in checked for problem in each["problems"]]) == (0, [])


def put_derive_checkpoint(s3: Any, lake: Lake) -> None:
    """As after a run that has read everything."""
    places = [{"reservoirVersion": lake.open(TABLES[name]).version() + 1, "index": -1} for name in ("event", "change")]
    for name, lines in (("offsets/0", ["v1", "{}", *map(json.dumps, places)]), ("commits/0", ["v1"])):
        s3.put_object(Bucket=BUCKET, Key=f"lake/_checkpoints/derive/{name}", Body="\n".join(lines))


def test_the_doctor(call: Call, s3: Any, endpoint: str, tmp_path: Path) -> None:
    stored = keys(s3, "")
    code, found = call("doctor")
    said = {(each["check"], each["status"]): each["message"] for each in found}
    assert code == 0
    assert said["aws", "ok"].startswith("this is arn:aws:sts::")
    assert [each["message"] for each in found if each["check"] == "sink"] == [
        f"s3://{BUCKET}/lake/: can be written, read and deleted",
        f"s3://{BUCKET}/lake/: conditional writes work",
    ]
    assert said["source", "ok"] == f"s3://{BUCKET}/raw/: can be listed and read"
    assert keys(s3, "") - stored <= {"lake/"}  # pyarrow's mark of a folder, which any deletion leaves

    text = (
        (CONFIG.replace("ENDPOINT", endpoint))
        .replace(f"{BUCKET}/raw", "no-such-bucket/raw")
        .replace(f"{BUCKET}/lake", "no-such-bucket/lake")
    )
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(text)
    code, found = call("doctor", config=str(elsewhere))
    problems = {each["check"] for each in found if each["status"] == "problem"}
    assert (code, {"source", "sink"} <= problems) == (5, True)
