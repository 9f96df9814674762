"""user, session and item_attributes have the same rows however their files are divided into buckets, and buckets into shares."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.commands import optimize
from streaming_app.derive import update
from streaming_app.lake import buckets, compaction
from streaming_app.lake.buckets import ALL_IDS, Bucket, bucket_of, hash_column
from streaming_app.lake.lake import live_files
from streaming_app.model.tables import ITEM_ATTRIBUTES, SESSION, TABLES, USER
from tests.support.examples import costly
from tests.support.lake import LocalPipeline
from tests.support.raw import NOW, event, line, write
from tests.support.upkeep import APPS, QUIET

BUCKETED = (USER, SESSION, ITEM_ATTRIBUTES)
DAY = 86_400_000
LARGE = 1 << 40
SIZES = {
    # bytes up to which aggregates are collected, up to which the driver merges, of a share's events, of a share's files, of a bucket
    "as a small run": (LARGE, LARGE, LARGE, LARGE, LARGE),
    "small buckets": (LARGE, LARGE, LARGE, LARGE, 6_000),
    "collected, then divided": (LARGE, 0, 4_000, 4_000, 9_000),
    "divided": (0, 0, 4_000, 4_000, 9_000),
    "many shares": (0, 0, 300, 4_000, LARGE),
    "shares by what is stored": (0, 0, LARGE, 3_000, 6_000),
}


@contextmanager
def sizes(name: str) -> Iterator[None]:
    names = ("COLLECT_BYTES", "MERGE_BYTES", "SHARE_EVENT_BYTES", "SHARE_STORED_BYTES")
    *of_update, of_bucket = SIZES[name]
    with ExitStack() as stack:
        for constant, value in zip(names, of_update, strict=True):
            stack.enter_context(patch.object(update, constant, value))
        stack.enter_context(patch.object(buckets, "BUCKET_BYTES", of_bucket))
        yield


def batch(rng: random.Random, number: int) -> list[bytes]:
    """Some users of two apps with sessions on some days, changes of users and items, and a better copy of an event of before."""
    users = [f"u-{rng.randrange(24)}" for _ in range(rng.randrange(1, 12))]
    events = [
        event(
            f"{number}-{n}",
            unique_id=user,
            timestamp=NOW - rng.choice([0, 0, 0, 1, 2]) * DAY - rng.randrange(3 * 3_600_000),
            attributes=rng.choice([{}, {"_session_id": f"s-{rng.randrange(3)}"}]),
        )
        for n, user in enumerate(users)
    ]
    changes = [
        {"type": "profile_increment", "distinct_id": user, "properties": {"n": 1}, "time": NOW - n, "_track_id": 50 * number + n}
        for n, user in enumerate(users)
    ] + [
        {
            "type": "item_set",
            "item_type": "book",
            "item_id": "i-1",
            "properties": {"n": number},
            "time": NOW,
            "_track_id": 9_000 + number,
        }
    ]
    return [
        line(*events, rid=f"r-{number}"),
        line(*changes, appId="sensors", rid=f"c-{number}", client_timestamp=None),
        line(event("0-0", unique_id="u-better", timestamp=NOW - DAY - number), rid=f"b-{number}"),
    ]


def contents(pipeline: LocalPipeline) -> dict[str, list[dict[str, Any]]]:
    return {table.name: pipeline.rows(table.name) for table in BUCKETED}


def check_buckets(pipeline: LocalPipeline) -> None:
    """Every row is in a file of its bucket, and no log names a file twice."""
    for table in BUCKETED:
        files = live_files(pipeline.lake.open(table))
        for file in files:
            rows = pq.read_table(Path(pipeline.lake.uri(table).removeprefix("file://")) / file.path, partitioning=None)
            assert bucket_of(file).mask(hash_column(rows, table)).all(), file.path


def optimize_as_a_stranger(pipeline: LocalPipeline) -> None:
    """Somebody's OPTIMIZE merges files of all buckets, and names them in its own way."""
    for table in BUCKETED:
        pipeline.lake.open(table).optimize.compact()


UPKEEP = {
    "nothing": lambda _: None,
    "optimize": lambda pipeline: optimize.run(pipeline.config, BUCKETED, QUIET),
    "a stranger": optimize_as_a_stranger,
}


@costly(20)
@given(
    st.randoms(use_true_random=False),
    st.lists(st.tuples(st.sampled_from([*SIZES]), st.sampled_from([*UPKEEP])), min_size=2, max_size=4),
)
def test_rows_do_not_depend_on_buckets_and_shares(
    tmp_path_factory: pytest.TempPathFactory, rng: random.Random, steps: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("lake")
    plain, divided = (LocalPipeline(folder / name, APPS) for name in ("plain", "divided"))
    for number, (size, upkeep) in enumerate(steps):
        lines = batch(rng, number)
        for pipeline, chosen in ((plain, "as a small run"), (divided, size)):
            pipeline.ingest(write(pipeline.folder / "raw", f"{number}.gz", *lines))
            with sizes(chosen):
                pipeline.derive()
        with patch.object(compaction, "MIN_FILES_SAVED", 1), sizes(size):
            UPKEEP[upkeep](divided)
        check_buckets(divided)
    assert contents(divided) == contents(plain)


def test_a_bucket_is_split_where_it_grows(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path, APPS)
    moduli = []
    for number in range(6):
        users = [event(f"{number}-{n}", unique_id=f"u-{number}-{n}") for n in range(150)]
        pipeline.ingest(write(tmp_path / "raw", f"{number}.gz", line(*users, event(f"again-{number}", unique_id="u-0-0"))))
        with sizes("small buckets"):
            pipeline.derive()
        moduli.append({bucket_of(file).modulus for file in live_files(pipeline.lake.open(USER))})
    assert max(moduli[-1]) >= 4
    assert all(max(before) <= max(after) for before, after in pairwise(moduli))
    check_buckets(pipeline)
    assert len(pipeline.rows("user")) == 6 * 150


def test_one_user_touches_one_bucket(tmp_path: Path) -> None:
    """The files of other buckets stay as they are."""
    pipeline = LocalPipeline(tmp_path, APPS)
    users = [event(f"e-{n}", unique_id=f"u-{n}") for n in range(400)]
    pipeline.ingest(write(tmp_path / "raw", "0.gz", line(*users)))
    with sizes("small buckets"):
        pipeline.derive()
        before = {table.name: {file.path for file in live_files(pipeline.lake.open(table))} for table in (USER, SESSION)}
        pipeline.ingest(write(tmp_path / "raw", "1.gz", line(event("new", unique_id="u-7"))))
        pipeline.derive()
    for name, paths in before.items():
        after = {file.path for file in live_files(pipeline.lake.open(TABLES[name]))}
        assert len(paths) >= 4
        assert len(paths - after) == 1


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (ALL_IDS, Bucket(64, 17), True),
        (Bucket(2, 1), Bucket(64, 17), True),
        (Bucket(2, 0), Bucket(64, 17), False),
        (Bucket(64, 17), Bucket(64, 17), True),
        (Bucket(64, 17), Bucket(64, 18), False),
    ],
)
def test_overlap(one: Bucket, other: Bucket, overlap: bool) -> None:
    assert (one.overlaps(other), other.overlaps(one)) == (overlap, overlap)
