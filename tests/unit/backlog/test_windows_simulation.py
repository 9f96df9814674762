"""What a run looks at does not grow with history where the source is read in windows, and does where it is not."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from math import ceil

import pytest

from benchmarks.simulated_bucket import CHECKPOINTS, COMPACT_EVERY, FILE_BYTES, PAGE, RAW, SimulatedBucket, Used, log_names
from benchmarks.windows import look, spark_look
from streaming_app.backlog.file_log import committed_files

FIRST, A_DAY = date(2025, 1, 1), 50
MARCH, JUNE = datetime(2025, 3, 31, 23, tzinfo=UTC), datetime(2025, 6, 30, 23, tzinfo=UTC)
LAST_HOUR = 3
"""Files of it, at 50 a day; it is the one that no batch has read."""
LOOKED_INTO = {"day": (3, 3), "month": (31 + 28 + 31, 30 + 31 + 30), "none": (90, 181)}
"""Days that a run looks into, in March and in June: those of the newest window and of two before it, or all."""


@pytest.fixture(scope="module", params=LOOKED_INTO)
def runs(request: pytest.FixtureRequest) -> tuple[str, Used, Used]:
    """The kind of windows, and what the same run takes in month 3 and in month 6."""
    (found, march), (found_later, june) = (look(request.param, FIRST, last, A_DAY) for last in (MARCH, JUNE))
    assert (found, found_later) == (LAST_HOUR, LAST_HOUR)
    return request.param, march, june


def test_what_is_compared_and_read_is_the_size_of_the_windows(runs: tuple[str, Used, Used]) -> None:
    by, *both = runs
    for used, days in zip(both, LOOKED_INTO[by], strict=True):
        assert used.compared == days * A_DAY
        assert used.entries == days * A_DAY - LAST_HOUR


def test_lists_grow_only_without_windows(runs: tuple[str, Used, Used]) -> None:
    by, march, june = runs
    more_pages = ceil(181 * A_DAY / PAGE) - ceil(90 * A_DAY / PAGE)
    by_day = 3  # a month is one folder more to look for days in
    assert june.lists - march.lists == {"month": 0, "day": by_day, "none": more_pages}[by]


def test_files_of_logs_are_few_in_each_window(runs: tuple[str, Used, Used]) -> None:
    by, *both = runs
    for used in both:
        # The last offset, a compact file, up to nine after; and where something is new, what was set aside.
        assert used.gets <= (1 if by == "none" else 3) * (1 + COMPACT_EVERY) + 1


def test_bytes_grow_only_without_windows(runs: tuple[str, Used, Used]) -> None:
    by, march, june = runs
    assert june.bytes_read / march.bytes_read == pytest.approx(2.0 if by == "none" else 1.0, abs=0.03)


def test_spark_lists_the_folders_with_new_files_only() -> None:
    spark = spark_look("month", FIRST, MARCH, A_DAY)
    assert (spark.listings, spark.window_listings) == (1, 1 + 31 + 31 * 24)
    assert spark.source_listings == 1 + 1 + 3 + 90 + 90 * 24


@pytest.mark.parametrize(("by", "batches"), [("day", 20), ("month", 740), ("none", 2_150)])
def test_spark_rewrites_what_its_window_has(by: str, batches: int) -> None:
    spark = spark_look(by, FIRST, MARCH, A_DAY)
    assert spark.compact_entries == batches * A_DAY // 24


def test_the_log_is_kept_as_spark_keeps_it() -> None:
    plain = {*range(20, 29), *range(30, 39), *range(40, 47)}
    assert set(log_names(47)) == {"19.compact", "29.compact", "39.compact", *map(str, plain)}  # Spark 4.1.1, seen
    assert log_names(20) == [*map(str, range(9)), "9.compact", *map(str, range(10, 19)), "19.compact"]
    assert log_names(0) == []


def test_the_checkpoint_has_all_files_but_those_of_the_last_hour() -> None:
    bucket = SimulatedBucket("none", FIRST, datetime(2025, 1, 2, 23, tzinfo=UTC), A_DAY)
    uris = [each.uri for each in bucket.files(RAW)]
    assert uris == sorted(uris)
    committed = list(committed_files(bucket, f"{CHECKPOINTS}/ingest/all"))
    assert committed == uris[:-LAST_HOUR]


def test_a_line_is_as_spark_writes_it() -> None:
    bucket = SimulatedBucket("none", FIRST, MARCH, A_DAY)
    version, line, *_ = bucket.lines(f"{CHECKPOINTS}/ingest/all/sources/0/7")
    entry = json.loads(line)
    assert (version, list(entry), entry["batchId"]) == ("v1", ["path", "timestamp", "batchId"], 7)
    assert json.dumps(entry, separators=(",", ":")) == line


@pytest.mark.parametrize(("a_day", "lists"), [(PAGE, 1), (PAGE + 1, 2), (2 * PAGE, 2)])
def test_a_page_has_a_thousand_keys(a_day: int, lists: int) -> None:
    bucket = SimulatedBucket("day", FIRST, datetime(2025, 1, 1, 23, tzinfo=UTC), a_day)
    assert sum(each.size for each in bucket.files(f"{RAW}/year=2025/month=01")) == a_day * FILE_BYTES
    assert bucket.used.lists == lists


def test_an_empty_folder_is_a_call_too() -> None:
    bucket = SimulatedBucket("day", FIRST, datetime(2025, 1, 1, 0, tzinfo=UTC), A_DAY)
    assert (list(bucket.list_directory(f"{CHECKPOINTS}/ingest")), bucket.used.lists) == ([], 1)
