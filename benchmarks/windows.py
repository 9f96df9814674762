"""What a run looks at after years of raw files, in windows of a month, of a day, and in none.

    python -m benchmarks.windows [--json]

Three years of 500 files a day are simulated, all but the last hour's read. The submitter's own survey looks for that hour.
"""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime

from rich.console import Console
from rich.table import Table

from benchmarks.simulated_bucket import CHECKPOINTS, RAW, SimulatedBucket, Used
from streaming_app.backlog.source_partitions import due_partitions
from streaming_app.backlog.unprocessed import find_backlog
from streaming_app.config.model import Config
from streaming_app.config.read import read_config
from submitter.survey import survey

FIRST, FILES_A_DAY = date(2025, 1, 1), 500
KINDS = ("month", "day", "none")
RUNS = tuple(datetime(year, 12, day, 23, tzinfo=UTC) for year in (2025, 2026, 2027) for day in (1, 31))
"""The last run of the first and of the last day of a month, at the end of each year."""

_CONFIG = f"""
project_id: years
source: {{uri: {RAW}, windows: {{by: BY}}}}
sink: {{uri: s3://company-clickstream/lake}}
checkpoint: {{uri: {CHECKPOINTS}}}
apps: {{shop: {{transformer: clickstream_sdk}}}}
"""


@dataclass(frozen=True)
class SparkLook:
    """What Spark's file source has to do for the window that has new files.

    It reads the newest compact file at its start and writes one of this size every ten batches; ``listings`` are folders.
    """

    compact_entries: int
    compact_mb: float
    listings: int
    window_listings: int
    source_listings: int


def config_by(by: str) -> Config:
    return read_config(_CONFIG.replace("BY", by), "benchmarks/windows.py")


def look(by: str, first: date, last: datetime, files_a_day: int) -> tuple[int, Used]:
    """Unprocessed files and what it took to find them."""
    bucket = SimulatedBucket(by, first, last, files_a_day)
    return survey(config_by(by), bucket, float("inf")).files, bucket.used


def peak_mb(by: str, last: datetime) -> float:
    bucket = SimulatedBucket(by, FIRST, last, FILES_A_DAY)
    tracemalloc.start()  # after the bucket was made: its folders are not the survey's
    survey(config_by(by), bucket, float("inf"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def cpu_seconds(by: str, last: datetime) -> float:
    bucket = SimulatedBucket(by, FIRST, last, FILES_A_DAY)
    began = time.process_time()
    survey(config_by(by), bucket, float("inf"))
    return time.process_time() - began


def spark_look(by: str, first: date, last: datetime, files_a_day: int) -> SparkLook:
    config, bucket = config_by(by), SimulatedBucket(by, first, last, files_a_day)
    [backlog] = filter(None, (find_backlog(each, config.source.glob, bucket) for each in due_partitions(config, bucket)))
    names = (
        each.uri
        for each in bucket.list_directory(f"{backlog.source_partition.checkpoint}/sources/0")
        if each.uri.endswith(".compact")
    )
    compact = max(names, key=lambda uri: int(uri.rpartition("/")[2].removesuffix(".compact")))
    bucket.used = Used()
    for _ in bucket.lines(compact):
        pass
    return SparkLook(
        compact_entries=bucket.used.entries,
        compact_mb=round(bucket.used.bytes_read / 1e6, 2),
        listings=sum(map(bucket.listings, backlog.directories)),
        window_listings=sum(bucket.listings(root.uri) for root in backlog.source_partition.roots),
        source_listings=bucket.listings(RAW),
    )


def result(by: str, last: datetime) -> dict[str, str | int | float]:
    files, used = look(by, FIRST, last, FILES_A_DAY)
    return {
        "run": f"{last:%Y-%m-%d}",
        "windows": by,
        "found": files,
        "LIST": used.lists,
        "GET": used.gets,
        "MB read": round(used.bytes_read / 1e6, 2),
        "compared": used.compared,
        "peak MB": round(peak_mb(by, last), 1),
        "CPU-s": round(cpu_seconds(by, last), 2),
        **{name.replace("_", " "): value for name, value in asdict(spark_look(by, FIRST, last, FILES_A_DAY)).items()},
    }


def show(results: list[dict[str, str | int | float]]) -> None:
    grid = Table(*results[0])
    for row in results:
        grid.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row.values()))
    Console(width=150).print(grid)


def main() -> None:
    results = [result(by, last) for by in KINDS for last in RUNS]
    if "--json" in sys.argv[1:]:
        print(json.dumps(results, indent=1))
    else:
        show(results)


if __name__ == "__main__":
    main()
