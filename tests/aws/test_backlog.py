"""The backlog of buckets with very many objects: its objects, the number of requests, and the memory."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from tests.support.checkpoint import COMMIT, file_log, offset_log
from tests.support.faults import Fault, serving_faults
from tests.support.measured import measured
from tests.support.moto import REGION
from tests.support.objects import PAGE, listing, put_all

MONTH = "raw/year=2026/month=05/"
MANY, BATCHES = 50_000, 500
COMPACT = range(299, BATCHES, 300)
"""The batches whose log file is a compact one."""
LATE = {f"{MONTH}day={day:02}/late.gz": 2**day for day in range(1, 8)}
"""Objects that no batch has read, and their sizes: a sum of them tells which."""
COMMITTED_MB, ANY_MB = 25, 5
"""Room for 50,000 committed files (a set of numbers takes 5), and for what a process allocates in passing."""
SIZES = {"big": MANY, "middle": 40_000, "small": 5_000}
"""Objects of each bucket. A list of the middle one's takes 9 MB."""


def config(bucket: str, lake: str) -> str:
    source = f"project_id: big\nsource: {{uri: s3://{bucket}/raw/}}\nsink: {{uri: s3://{bucket}/{lake}/}}\n"
    return f"{source}apps: {{shop: {{transformer: clickstream_sdk}}}}\n"


def raw(count: int) -> list[tuple[str, int]]:
    """Keys, each with the batch that read it."""
    batches = [number * BATCHES // count for number in range(count)]
    return [(f"{MONTH}day={batch % 28 + 1:02}/{number:06}.gz", batch) for number, batch in enumerate(batches)]


def checkpoint() -> Iterator[tuple[str, bytes]]:
    """All batches committed, no log file cleaned away yet."""
    entries = [(f"s3://big/{key}", batch) for key, batch in raw(MANY)]
    each = MANY // BATCHES
    for batch in range(BATCHES):
        end = (batch + 1) * each
        if batch in COMPACT:
            yield f"sources/0/{batch}.compact", file_log(entries[:end])
        else:
            yield f"sources/0/{batch}", file_log(entries[end - each : end])
        yield f"offsets/{batch}", offset_log(batch)
        yield f"commits/{batch}", COMMIT


@pytest.fixture(scope="module")
def buckets(endpoint: str) -> Iterator[None]:
    """All objects lie in a month; by ``big/lake`` all but the late ones are committed."""
    with serving_faults() as (faults, url), pytest.MonkeyPatch.context() as patch:
        for bucket, count in SIZES.items():
            boto3.client("s3", region_name=REGION).create_bucket(Bucket=bucket)
            put_all(bucket, dict.fromkeys(LATE, b"moto lists the folders, so it must have something in them"))
            objects = dict.fromkeys((key for key, _ in raw(count)), 1_000) | LATE
            faults.faults.append(Fault(listing(objects), rf"^GET /{bucket}\?.*prefix={MONTH}"))
        put_all("big", {f"lake/_checkpoints/ingest/2026-05/{name}": content for name, content in checkpoint()})
        patch.setenv("AWS_ENDPOINT_URL", url)
        yield


def test_a_few_unprocessed_objects_among_very_many_are_found(buckets: None) -> None:
    work = measured(config("big", "lake"))
    assert (work["files"], work["bytes"], work["complete"], work["unfinished"]) == (7, sum(LATE.values()), True, False)
    assert work["lists"][MONTH] == MANY // PAGE + 1
    assert work["mb"] < COMMITTED_MB


def test_memory_does_not_grow_with_what_is_listed(buckets: None) -> None:
    found = {bucket: measured(config(bucket, "new-lake")) for bucket in ("small", "middle")}
    assert {bucket: work["files"] for bucket, work in found.items()} == {bucket: SIZES[bucket] + len(LATE) for bucket in found}
    assert found["middle"]["mb"] - found["small"]["mb"] < ANY_MB


def test_counting_stops_at_the_limit(buckets: None) -> None:
    work = measured(config("big", "new-lake"), enough_bytes=1_500_000)
    assert (work["files"], work["bytes"], work["complete"]) == (1_500, 1_500_000, False)
    assert work["lists"][MONTH] == 2
    assert sum(work["lists"].values()) < 12
