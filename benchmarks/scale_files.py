"""Micro-batches of the driver on a table ``event`` of very many files, beside the same ones on an empty table.

    python -m benchmarks.scale_files FILES     (one measurement, as JSON; benchmarks.scale makes both)

The files are entries of the table's log only: no step of a micro-batch opens a file of another day.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.run import FOLDER, UNTIL
from streaming_app.config.model import Config
from streaming_app.demo.generate import generate
from streaming_app.environment import open_lake
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.batch_metrics import Timing
from streaming_app.ingest.commit.commit import commit_batch
from streaming_app.ingest.file_processor import FileProcessor
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import DataFile
from streaming_app.model.tables import EVENT
from streaming_app.plugins.load_config import parse_config
from streaming_app.storage.files import Storage

EVENTS, BATCHES, DAYS = 2_000, 3, 700
"""Of a micro-batch, how many there are, and the days before them that have files."""


def lake_of_files(count: int) -> Config:
    """The configuration of tables whose ``event`` has so many files of earlier days; made once."""
    folder = FOLDER.absolute() / f"files-{count}"
    config = parse_config(
        f"project_id: bench\nsource: {{uri: {folder}/raw}}\nsink: {{uri: {folder}/lake}}\n"
        "apps: {shop: {transformer: clickstream_sdk}}\n"
    )
    if (folder / "done").exists():
        return config
    shutil.rmtree(folder, ignore_errors=True)
    for number in range(BATCHES):
        generate(folder / f"raw/{number}", EVENTS, files=1, until=UNTIL, seed=number)
    lake = open_lake(config)
    lake.create_all()
    commit(lake, EVENT, TableChange([_entry(number) for number in range(count)], [], []), TransactionId.unique("bench"))
    (folder / "done").touch()
    return config


def _entry(number: int) -> DataFile:
    day = UNTIL.date() - timedelta(days=10 + number % DAYS)
    partition = {"app_id": "shop", "year": str(day.year), "month": str(day.month), "day": str(day.day)}
    path = "/".join((*(f"{name}={value}" for name, value in partition.items()), f"part-{number:08d}.zstd.parquet"))
    time_ms = int(UNTIL.timestamp() - 86_400 * (10 + number % DAYS)) * 1_000
    stats = {
        "numRecords": 500_000,
        "minValues": {"event_time_msec": time_ms},
        "maxValues": {"event_time_msec": time_ms + 3_600_000},
    }
    return DataFile(path, partition, 40_000_000, 500_000, EVENT.name, json.dumps(stats | {"nullCount": {"event_time_msec": 0}}))


def batches(count: int) -> dict[str, Any]:
    """Commit some micro-batches on a copy of the tables; CPU-seconds of each commit, and the growth of memory with the first."""
    config = lake_of_files(count)
    kept, work = Path(config.sink.uri), Path(config.sink.uri).with_name("work")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(kept, work)
    config = config.model_copy(update={"sink": config.sink.model_copy(update={"uri": str(work)})})
    made = int(UNTIL.timestamp() * 1_000)
    pairs = []
    for number in range(BATCHES):
        batch = Batch(config, Storage(), "bench", number, "bench", made, "all")
        raw = Path(config.source.uri) / str(number)
        pairs.append((batch, FileProcessor(batch, f"scale-{number}").run(map(str, raw.rglob("*.gz")))))
    lake, before = open_lake(config), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for batch, report in pairs:
        began = time.process_time()
        commit_batch(batch, report, Timing(0.0, 1), lake)
        seconds.append(time.process_time() - began)
    return {"seconds": seconds, "gb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e9}


def in_a_process(count: int) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale_files", str(count)]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(batches(int(sys.argv[1]))))
