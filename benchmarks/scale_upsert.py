"""A micro-batch of derive over some users of a table with very many.

    python -m benchmarks.scale_upsert STORED TOUCHED [--spark]     (one measurement, as JSON)

Without Spark, everything happens in this process: its CPU-seconds are those of all tasks together. With Spark, its CPU-seconds
and memory are those of the driver's Python.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.run import FOLDER, UNTIL
from streaming_app.derive import user_rows
from streaming_app.derive.update import Update
from streaming_app.environment import open_lake
from streaming_app.lake.buckets import BucketWriter, modulus_for
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.metrics.summary import Summary
from streaming_app.model.tables import CHANGE, EVENT, USER
from streaming_app.plugins.load_config import parse_config
from streaming_app.spark.session import get_session
from streaming_app.spark.table_stream import table_files

BLOCK_ROWS = 500_000
ROW_BYTES = 40
"""Stored bytes of a row of this table, about."""
APP = "shop"


def config_of(folder: Path) -> Any:
    return parse_config(
        f"project_id: bench\nsource: {{uri: {folder.absolute()}/raw}}\nsink: {{uri: {folder.absolute()}/lake}}\n"
        f"apps: {{{APP}: {{transformer: clickstream_sdk}}}}\n"
    )


def events_of(numbers: np.ndarray[Any, Any], seed: int) -> pa.Table:
    """One event of each user, somewhere in the month before."""
    rng = np.random.default_rng(seed)
    times = int(UNTIL.timestamp() * 1_000) - rng.integers(0, 3_600_000, len(numbers))
    ids = pa.array([f"{number:08x}-{number * 2654435761 % 2**32:08x}-4e5f" for number in numbers.tolist()])
    sources = pa.array([f"site-{each}.example" for each in rng.integers(0, 300, len(numbers)).tolist()])
    known = {
        "event_id": pa.array([f"{seed}-{number}" for number in numbers.tolist()]),
        "event_name": pa.repeat("_page_view", len(numbers)),
        "event_time_msec": pa.array(times),
        "event_timestamp": pa.array(times * 1_000, pa.timestamp("us", tz="UTC")),
        "user_pseudo_id": ids,
        "session_id": pa.array([f"s-{each}" for each in rng.integers(0, 1 << 30, len(numbers)).tolist()]),
        "traffic_source_source": sources,
        "page_view_page_referrer": pa.array([f"https://{each}/from" for each in sources.to_pylist()]),
        "app_id": pa.repeat(APP, len(numbers)),
        "year": pa.repeat(pa.scalar(UNTIL.year, pa.int32()), len(numbers)),
        "month": pa.repeat(pa.scalar(UNTIL.month, pa.int32()), len(numbers)),
        "day": pa.repeat(pa.scalar(UNTIL.day, pa.int32()), len(numbers)),
    }
    columns = [known.get(field.name, pa.nulls(len(numbers), field.type)).cast(field.type) for field in EVENT.schema]
    return pa.table(columns, schema=EVENT.schema)


def blocks(users: int) -> Iterator[pa.Table]:
    """Rows of ``user``."""
    for start in range(0, users, BLOCK_ROWS):
        events = events_of(np.arange(start, min(start + BLOCK_ROWS, users)), start)
        yield user_rows.rows_from_aggregates(user_rows.aggregate_events(events), "bench", 0)


def stored_users(users: int) -> Path:
    """A folder with tables that have so many users; made once."""
    folder = FOLDER / f"users-{users}"
    if (folder / "done").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lake = open_lake(config_of(folder))
    lake.create_all()
    writer, modulus = BucketWriter(lake, USER), modulus_for(users * ROW_BYTES, users)
    for rows in blocks(users):
        writer.divide(rows, modulus)
    commit(lake, USER, TableChange(writer.close(), [], []), TransactionId.unique("bench"))
    (folder / "done").touch()
    return folder


def new_events(lake: Lake, stored: int, touched: int) -> None:
    """A file of ``event`` with an event of some of the users."""
    numbers = np.random.default_rng(touched).choice(stored, touched, replace=False)
    writer = PartitionWriter(EVENT, lake.uri(EVENT), lake.storage, "new")
    writer.add(events_of(numbers, touched))
    commit(lake, EVENT, TableChange(writer.close(), [], []), TransactionId.unique("bench"))


def update(stored: int, touched: int, *, with_spark: bool) -> dict[str, Any]:
    """One micro-batch on a copy of the log: CPU-seconds and memory of this process, and what was rewritten."""
    folder, work = stored_users(stored), FOLDER / "users-work"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(folder, work, copy_function=os.link)  # data files are never changed in place
    config = config_of(work)
    lake = open_lake(config)
    new_events(lake, stored, touched)
    spark = get_session(config, lake.storage) if with_spark else None
    files = {table.name: table_files(lake, table) for table in (EVENT, CHANGE)}
    before = {file.path: file.size for file in live_files(lake.open(USER))}
    base, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    Update(config, lake, Summary("bench"), TransactionId("bench", 0), files, spark).run()
    used = time.process_time() - began
    after = {file.path for file in live_files(lake.open(USER))}
    return {
        "cpu_seconds": used,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "peak_gb_before": base * 1024 / 1e9,
        "buckets": len(before),
        "rewritten": len(before.keys() - after),
        "rewritten_mb": sum(size for path, size in before.items() if path not in after) / 1e6,
    }


def in_a_process(stored: int, touched: int, *, with_spark: bool) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale_upsert", str(stored), str(touched), *(["--spark"] if with_spark else [])]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stored", type=int)
    parser.add_argument("touched", type=int)
    parser.add_argument("--spark", action="store_true")
    given = parser.parse_args()
    print(json.dumps(update(given.stored, given.touched, with_spark=given.spark)))


if __name__ == "__main__":
    main()
