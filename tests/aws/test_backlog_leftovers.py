"""The backlog on S3 with everything that a killed run may leave in its checkpoint."""

from __future__ import annotations

import boto3
import pytest

from streaming_app.backlog.source_partitions import due_partitions
from streaming_app.backlog.unprocessed import find_backlog
from streaming_app.config.model import Config
from streaming_app.config.read import read_config
from streaming_app.storage.s3_objects import S3Objects
from submitter.survey import survey
from tests.support.checkpoint import COMMIT, file_log, offset_log
from tests.support.moto import REGION
from tests.support.objects import put_all

BUCKET = "clickstream-leftovers"
FOLDER = f"s3://{BUCKET}/raw/year=2026/month=05"
ALL, REST, NEW = 1 + 2 + 4 + 8 + 16, 4 + 8 + 16, 8 + 16
"""Objects have 1, 2, 4, 8 and 16 bytes, so the sum of the unprocessed ones tells which they are."""


def log(*numbers: int) -> bytes:
    """A log file that says of some objects that each was read by the batch of its number."""
    return file_log((f"{FOLDER}/{number}%20+%25.gz", number) for number in numbers)


def batches(committed: int, planned: int) -> dict[str, bytes]:
    plans = {f"offsets/{batch}": offset_log(batch) for batch in range(planned + 1)}
    return plans | {f"commits/{batch}": COMMIT for batch in range(committed + 1)}


PLAIN = {"0": log(0), "1": log(1), "2": log(2)}
COMPACT = {"0": log(0), "1": log(1), "2.compact": log(0, 1, 2)}
HIDDEN = {".3.1f2e.tmp": log(3), ".2.compact.crc": b"crc", ".5.compact.1f2e.tmp": log(3, 4)}
MARKERS = {"offsets/": b"", "commits/": b"", "sources/0/": b""}
RENUMBERED = {"offsets/7": offset_log(2), "commits/7": COMMIT}

CASES: list[tuple[str, dict[str, bytes], dict[str, bytes], int, bool]] = [
    ("nothing", {}, {}, ALL, False),
    ("plain", batches(2, 2), PLAIN, NEW, False),
    ("a compact one and the plain ones before it", batches(2, 2), COMPACT, NEW, False),
    ("a compact one and a plain one after it", batches(2, 2), {"1.compact": log(0, 1), "2": log(2)}, NEW, False),
    ("two compact ones", batches(2, 2), {"1.compact": log(0, 1), "2.compact": log(0, 1, 2)}, NEW, False),
    ("hidden ones", batches(2, 2), COMPACT | HIDDEN, NEW, False),
    ("folders made by a console", batches(2, 2) | MARKERS, COMPACT, NEW, False),
    ("a log without a plan", batches(1, 1), PLAIN, REST, False),
    ("a plan without a commit", batches(1, 2), PLAIN, REST, True),
    ("a plan without a commit, compacted", batches(1, 2), COMPACT, REST, True),
    ("the first plan without a commit", batches(-1, 0), {"0": log(0)}, ALL, True),
    ("a batch that has another number than its log", batches(1, 1) | RENUMBERED, PLAIN, NEW, False),
    ("a batch that read nothing new", batches(1, 1) | {"offsets/2": offset_log(1), "commits/2": COMMIT}, PLAIN, REST, False),
]


def config(source: str, lake: str) -> Config:
    text = f"project_id: p\nsource: {{uri: 's3://{BUCKET}/{source}'}}\nsink: {{uri: 's3://{BUCKET}/{lake}'}}\n"
    return read_config(f"{text}apps: {{shop: {{transformer: clickstream_sdk}}}}", "test")


@pytest.fixture(scope="module")
def objects(endpoint: str) -> S3Objects:
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
    put_all(BUCKET, {f"raw/year=2026/month=05/{number} +%.gz": b"x" * 2**number for number in range(5)})
    return S3Objects.connect(endpoint, REGION)


@pytest.mark.parametrize(("told", "logs", "size", "unfinished"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_backlog_is_right_after_a_killed_run(
    told: dict[str, bytes],
    logs: dict[str, bytes],
    size: int,
    unfinished: bool,
    objects: S3Objects,
    request: pytest.FixtureRequest,
) -> None:
    lake = f"lake/{request.node.callspec.id}"
    written = told | {f"sources/0/{name}": content for name, content in logs.items()}
    put_all(BUCKET, {f"{lake}/_checkpoints/ingest/2026-05/{name}": content for name, content in written.items()})
    work = survey(config("raw", lake), objects, float("inf"))
    assert (work.bytes, work.unfinished) == (size, unfinished)


@pytest.mark.parametrize("stray", ["//1.gz", "/year=2026//1.gz", "/year=2026//month=05/1.gz"])
def test_an_empty_folder_name_does_not_mean_the_folder_above_it(stray: str, objects: S3Objects) -> None:
    """Else all that is below it would be in the window of the rest, too."""
    source = f"empty{stray.replace('/', '-')}/raw"
    put_all(BUCKET, {f"{source}{stray}": b"x", f"{source}/year=2026/month=05/1.gz": b"x"})
    backlogs = {each.name: find_backlog(each, "*", objects) for each in due_partitions(config(source, "lake"), objects)}
    assert {name: (list(each.unreadable), each.spark_paths) for name, each in backlogs.items()} == {
        "2026-05": ([], {f"s3://{BUCKET}/{source}/year=2026/month=05"}),
        "rest": ([f"s3://{BUCKET}/{source}{stray}"], set()),
    }
