"""Credentials are the role's, and every library refreshes them during a run."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import boto3
import pytest

from tests.support.faults import serving_faults
from tests.support.moto import REGION
from tests.support.role import serving_credentials

BUCKET = "clickstream-role"
SECONDS = 6
LOOKS = """
import sys, time
from streaming_app.storage.s3_objects import S3Objects
from streaming_app.model.tables import EVENT
from streaming_app.storage.files import Storage
from streaming_app.lake.lake import Lake

bucket, endpoint, region, seconds = sys.argv[1:]
storage = Storage(endpoint, region)
files, path = storage.filesystem(f"s3://{bucket}/arrow/file")
objects = S3Objects.connect(endpoint, region)
lake = Lake(f"s3://{bucket}/lake", storage)
lake.create(EVENT)
table = lake.open(EVENT)
for wait in (float(seconds) + 1, 0):
    print(files.get_file_info(path).size, [each.name for each in objects.files(f"s3://{bucket}/boto")], table.version(), flush=True)
    table.update_incremental()
    time.sleep(wait)
"""


@pytest.fixture(scope="module")
def s3(endpoint: str) -> Any:
    client = boto3.client("s3", region_name=REGION)
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="arrow/file", Body=b"x")
    client.put_object(Bucket=BUCKET, Key="boto/file", Body=b"x")
    return client


@pytest.mark.parametrize("place", ["arrow", "boto", "lake"])
def test_each_library_takes_new_credentials_when_the_old_expire(place: str, keys: dict[str, list[str]]) -> None:
    first, last = keys[place][0], keys[place][-1]
    assert first.startswith("KEY")
    assert last > first


@pytest.fixture(scope="module")
def keys(s3: Any) -> dict[str, list[str]]:
    """The access keys that a process without any of its own signed with, by the folder that it looked into."""
    with serving_faults() as (seen, endpoint), serving_credentials(SECONDS) as address:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment = {**kept, "AWS_CONTAINER_CREDENTIALS_FULL_URI": address, "AWS_EC2_METADATA_DISABLED": "true"}
        command = [sys.executable, "-c", LOOKS, BUCKET, endpoint, REGION, str(SECONDS)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-3_000:]
        assert done.stdout.splitlines() == ["1 ['file'] 0"] * 2
        return {place: [key for call, key in seen.calls if f"{place}/" in call] for place in ("arrow", "boto", "lake")}
