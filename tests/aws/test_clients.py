"""What each client of S3 does in a process of the job: how often it asks for credentials, and by which path checkpoints go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.moto import REGION
from tests.support.role import serving_credentials

BUCKET = "clickstream-clients"
OPENINGS = 20
OPENS = f"""
import sys
from concurrent.futures import ThreadPoolExecutor
from streaming_app.storage.any_objects import AnyObjects
from streaming_app.storage.conditional_object import conditional_object_at
from streaming_app.storage.files import Storage

bucket, endpoint = sys.argv[1:]

def opened(number):
    storage = Storage(endpoint, "{REGION}")
    storage.write_text(f"s3://{{bucket}}/file-{{number}}", "x")
    conditional_object_at(f"s3://{{bucket}}/slot-{{number}}", storage).compare_and_swap("x", None)
    return storage.read_text(f"s3://{{bucket}}/file-{{number}}") + "".join(AnyObjects(endpoint, "{REGION}").lines(f"s3://{{bucket}}/slot-{{number}}"))

with ThreadPoolExecutor(4) as threads:
    print(*threads.map(opened, range({OPENINGS})))
"""
MANAGER = """
import sys
from streaming_app.plugins.load_config import parse_config
from streaming_app.spark.session import get_session
from streaming_app.storage.files import Storage

bucket, endpoint = sys.argv[1:]
config = parse_config(
    f"project_id: t\\nsource: {{uri: s3://{bucket}/raw}}\\nsink: {{uri: s3://{bucket}/lake}}\\n"
    "apps: {shop: {transformer: clickstream_sdk}}\\nspark: {master: 'local[1]'}\\n"
)
session = get_session(config, Storage(endpoint))
path = session._jvm.org.apache.hadoop.fs.Path(f"s3://{bucket}/lake/_checkpoints/derive")
checkpointing = session._jvm.org.apache.spark.sql.execution.streaming.checkpointing
manager = checkpointing.CheckpointFileManager.create(path, session._jsc.hadoopConfiguration())
print(manager.getClass().getSimpleName())
"""


@pytest.fixture(scope="module")
def s3(endpoint: str) -> Any:
    client = boto3.client("s3", region_name=REGION, endpoint_url=endpoint)
    client.create_bucket(Bucket=BUCKET)
    return client


def printed(code: str, endpoint: str, **variables: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-c", code, BUCKET, endpoint]
    done = subprocess.run(command, env=kept | variables, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stdout.strip()


def test_credentials_are_asked_for_once_by_each_library(s3: Any, endpoint: str, tmp_path: Path) -> None:
    """By boto3 and by pyarrow, however many files, objects and threads there are: each call is one to the container's service."""
    with serving_credentials(3600) as address:
        told = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": address, "AWS_DEFAULT_REGION": REGION}
        output = printed(OPENS, endpoint, **told, AWS_EC2_METADATA_DISABLED="true")
        asked = int(next_key(address).removeprefix("KEY"))
    assert output.split() == ["xx"] * OPENINGS
    assert asked == 2


def next_key(address: str) -> str:
    """The access key that the service hands out now; they are numbered."""
    import json
    from urllib.request import urlopen

    with urlopen(address) as answer:  # noqa: S310 - ours
        return json.loads(answer.read())["AccessKeyId"]


def test_checkpoints_on_s3_are_written_as_on_emr(s3: Any, endpoint: str) -> None:
    """By Hadoop's FileContext, which needs an AbstractFileSystem for s3:// as the image of EMR has it."""
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}
    assert printed(MANAGER, endpoint, **keys) == "FileContextBasedCheckpointFileManager"
