"""The backlog while S3 fails: the same as without failures, or an error with the location and the remedy."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from streaming_app.config.read import read_config
from streaming_app.errors import SourceError
from streaming_app.storage.s3_objects import MAX_READS, S3Objects
from submitter.survey import Workload, survey
from tests.support.checkpoint import COMMIT, file_log, offset_log
from tests.support.faults import (
    ACCESS_DENIED,
    INTERNAL_ERROR,
    NO_SUCH_BUCKET,
    SLOW_DOWN,
    Answer,
    Fault,
    Faults,
    cut,
    reset,
    serving_faults,
)
from tests.support.moto import REGION
from tests.support.objects import put_all

BUCKET = "clickstream-faults"
CONFIG = f"""
project_id: p
source: {{uri: s3://{BUCKET}/raw}}
sink: {{uri: s3://{BUCKET}/lake}}
apps: {{shop: {{transformer: clickstream_sdk}}}}
"""
FILES = 2_500
"""Three pages, and a compact log of several chunks."""
LIST, LISTED = r"GET /\S+\?.*list-type=2", "raw/year=2026/month=05"
READ, COMPACT = r"^GET /[^?]+/sources/0/\d", "sources/0/1.compact"


@pytest.fixture(scope="module")
def service(endpoint: str) -> Iterator[tuple[Faults, str]]:
    keys = [f"{LISTED}/day=28/{number:04}.gz" for number in range(FILES)]
    entries = [(f"s3://{BUCKET}/{key}", number % 3) for number, key in enumerate(keys)]
    logs = {"1.compact": [each for each in entries if each[1] < 2], "2": [each for each in entries if each[1] == 2]}
    checkpoint = {f"sources/0/{name}": file_log(read) for name, read in logs.items()}
    checkpoint |= {"offsets/2": offset_log(2), "commits/2": COMMIT}
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
    put_all(BUCKET, dict.fromkeys([*keys, f"{LISTED}/day=28/new.gz"], b"x"))
    put_all(BUCKET, {f"lake/_checkpoints/ingest/2026-05/{name}": content for name, content in checkpoint.items()})
    with serving_faults() as found:
        yield found


def surveyed() -> Workload:
    return survey(read_config(CONFIG, "test"), S3Objects.connect(), float("inf"))


@pytest.mark.parametrize(
    ("fault", "strikes"),
    [
        (Fault(SLOW_DOWN, LIST, share=0.4), 3),
        (Fault(INTERNAL_ERROR, share=0.3), 3),
        (Fault(reset, share=0.3), 3),
        (Fault(SLOW_DOWN, READ, times=4), 4),
        (Fault(reset, READ, times=2), 2),
        (Fault(cut, LIST, times=3), 3),
        (Fault(cut, COMPACT, times=MAX_READS - 1), MAX_READS - 1),
    ],
    ids=["throttled lists", "internal errors", "resets", "throttled reads", "reset reads", "lists cut off", "a log cut off"],
)
def test_repeated(fault: Fault, strikes: int, faults: Faults) -> None:
    calm = surveyed()
    assert calm.files == 1
    faults.faults = [fault]
    assert surveyed() == calm
    assert faults.struck >= strikes


@pytest.mark.parametrize(
    ("answer", "calls", "uri", "says", "remedy"),
    [
        (ACCESS_DENIED, LIST, "lake/_checkpoints/ingest", "AccessDenied", "s3:ListBucket"),
        (ACCESS_DENIED, f"{LIST}.*prefix={LISTED}/", LISTED, "AccessDenied", "s3:ListBucket"),
        (NO_SUCH_BUCKET, LIST, "lake/_checkpoints/ingest", "NoSuchBucket", "bucket's name"),
        (ACCESS_DENIED, READ, COMPACT, "AccessDenied", "s3:GetObject"),
        (NO_SUCH_BUCKET, READ, COMPACT, "NoSuchBucket", "bucket's name"),
        (SLOW_DOWN, f"{LIST}.*prefix={LISTED}/", LISTED, "SlowDown", "s3:ListBucket"),
        (cut, COMPACT, COMPACT, f"broke off {MAX_READS} times", "next run"),
        (reset, READ, COMPACT, "Connection was closed", "s3:GetObject"),
    ],
)
def test_told(answer: Answer, calls: str, uri: str, says: str, remedy: str, faults: Faults) -> None:
    faults.faults = [Fault(answer, calls)]
    with pytest.raises(SourceError, match=rf"^s3://{BUCKET}/.*{uri}: .*{says}") as told:
        surveyed()
    assert remedy in told.value.hint
