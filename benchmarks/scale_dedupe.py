"""What the deduplication of new ids costs against many stored ones: in tasks, and in the driver.

    python -m benchmarks.scale_dedupe [STORED [NEW]]     (one measurement, as JSON; default: 50000000 and 1000000)

The stored part is written directly, as data files of 500,000 rows with their index files, and kept in .bench/. One new row in a
hundred is a duplicate of a stored one. Figures are CPU-seconds of Python: of the processes that run tasks, and
of the driver. The JVM of Spark, which starts the tasks, comes on top.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
import pyarrow.parquet as pq

from benchmarks.run import FOLDER
from streaming_app.config.model import Config
from streaming_app.environment import open_lake
from streaming_app.ingest.commit.deduplicate import Rules, find_duplicates
from streaming_app.ingest.commit.duplicate_days import DuplicateDays
from streaming_app.ingest.commit.task_runner import TaskRunner
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.duckdb import query_on_all_cores
from streaming_app.lake.files import DataFile
from streaming_app.lake.id_index import IdIndex
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import COMPRESSION, ROW_GROUP_ROWS
from streaming_app.model.tables import EVENT
from streaming_app.model.times import DAY_MS
from streaming_app.plugins.load_config import parse_config
from streaming_app.spark.session import get_session

STORED, NEW, DAYS, FILE_ROWS, NEW_FILES, ROUNDS = 50_000_000, 1_000_000, 5, 500_000, 4, 3
FIRST_DAY = 20_000
"""The first stored day, since the epoch."""
_MARK = b"seconds:"
_ROWS = """
    SELECT md5(({id})::VARCHAR) AS event_id, {time}::BIGINT AS event_time_msec, {time}::BIGINT AS ingest_time_msec,
           'u-' || (i % 100000) AS user_pseudo_id,
           '{{"rid":"r-' || (i // 10) || '-{name}","input_file_name":"/raw/{name}.gz","input_file_line":' || (i // 10) || '}}'
               AS process_info
    FROM range({first}, {last}) AS numbers(i)
"""

U = TypeVar("U")


@dataclass
class Tables:
    """The stored rows, and files of new ones that are not committed."""

    config: Config
    lake: Lake
    new: list[DataFile]


def make_tables(stored: int, new: int) -> Tables:
    """The tables with ``stored`` rows over five days, and ``new`` rows of the last of them; made once."""
    folder = FOLDER.absolute() / f"dedupe-{stored}-{new}"
    config = parse_config(
        f"project_id: bench\nsource: {{uri: {folder}/raw}}\nsink: {{uri: {folder}/lake}}\n"
        "apps: {shop: {transformer: clickstream_sdk}}\nspark: {master: 'local[2]'}\n"
    )
    lake, note = open_lake(config), folder / "new.json"
    if not note.exists():
        shutil.rmtree(folder, ignore_errors=True)
        lake.create_all()
        per_day = stored // DAYS
        files = [
            _write_file(lake, f"stored-{day}-{first}", day, day * per_day + first, min(FILE_ROWS, per_day - first))
            for day in range(DAYS)
            for first in range(0, per_day, FILE_ROWS)
        ]
        commit(lake, EVENT, TableChange(files, [], []), TransactionId.unique("bench"))
        # One new id in a hundred is stored, among the last ones.
        size, ids = -(-new // NEW_FILES), f"CASE WHEN i % 100 = 0 THEN {2 * stored - 1} - i ELSE i END"
        made = [_write_file(lake, f"new-{at}", DAYS - 1, stored + at, min(size, new - at), ids) for at in range(0, new, size)]
        note.write_bytes(msgspec.json.encode(made))
    return Tables(config, lake, msgspec.json.decode(note.read_bytes(), type=list[DataFile]))


def _write_file(lake: Lake, name: str, day: int, first: int, rows: int, ids: str = "i") -> DataFile:
    """A data file with its index file; its ids are made from the numbers ``ids``, an expression in SQL."""
    date = time.gmtime((FIRST_DAY + day) * 86_400)
    partition = {"app_id": "shop", "year": str(date.tm_year), "month": str(date.tm_mon), "day": str(date.tm_mday)}
    path = "/".join((*(f"{key}={value}" for key, value in partition.items()), f"{name}.zstd.parquet"))
    full = Path(lake.uri(EVENT)) / path
    full.parent.mkdir(parents=True, exist_ok=True)
    made = query_on_all_cores(_ROWS.format(id=ids, time=(FIRST_DAY + day) * DAY_MS, name=name, first=first, last=first + rows))
    pq.write_table(made, full, row_group_size=ROW_GROUP_ROWS, compression=COMPRESSION, use_dictionary=["user_pseudo_id"])
    IdIndex(lake.uri(EVENT), lake.storage).make(path)
    stats = msgspec.json.encode({"numRecords": rows}).decode()
    return DataFile(path, partition, full.stat().st_size, rows, EVENT.name, stats)


@dataclass(frozen=True)
class MeasuredRunner(TaskRunner):
    """Adds up the CPU-seconds of what runs in tasks, by the name of the step."""

    task_seconds: dict[str, float] = field(default_factory=dict)

    def run(
        self, units: Sequence[U], seconds: Callable[[U], float], work: Callable[[list[U]], Iterable[bytes]]
    ) -> Iterable[bytes]:
        measured = partial(_measure_work, _name(work), work)
        return self._without_seconds(super().run(units, seconds, measured))

    def exchange(
        self,
        units: Sequence[U],
        seconds: Callable[[U], float],
        read: Callable[[int, list[U]], Iterable[tuple[int, bytes]]],
        combine: Callable[[int, list[bytes]], bytes],
    ) -> list[bytes]:
        """What ``read`` used travels with the messages of a part, and what ``combine`` used with its result."""
        measured = super().exchange(units, seconds, partial(_measure_read, read), partial(_measure_combine, combine))
        return self._without_seconds(message for each in measured for message in msgspec.msgpack.decode(each, type=list[bytes]))

    def _without_seconds(self, messages: Iterable[bytes]) -> list[bytes]:
        found = []
        for each in messages:
            if not each.startswith(_MARK):
                found.append(each)
                continue
            process, name, cpu = msgspec.json.decode(each.removeprefix(_MARK), type=tuple[int, str, float])
            if process != os.getpid():
                self.task_seconds[name] = self.task_seconds.get(name, 0.0) + cpu
        return found


def _name(work: Callable[..., object]) -> str:
    return str(getattr(work, "func", work).__name__).strip("_")


def _seconds_since(name: str, began: float) -> bytes:
    return _MARK + msgspec.json.encode((os.getpid(), name, time.process_time() - began))


def _measure_work(name: str, work: Callable[[list[U]], Iterable[bytes]], group: list[U]) -> Iterator[bytes]:
    began = time.process_time()
    yield from work(group)
    yield _seconds_since(name, began)


def _measure_read(
    read: Callable[[int, list[U]], Iterable[tuple[int, bytes]]], parts: int, group: list[U]
) -> Iterator[tuple[int, bytes]]:
    began = time.process_time()
    yield from read(parts, group)
    yield 0, _seconds_since(_name(read), began)


def _measure_combine(combine: Callable[[int, list[bytes]], bytes], part: int, messages: list[bytes]) -> bytes:
    began = time.process_time()
    of_read = [each for each in messages if each.startswith(_MARK)]
    found = combine(part, [each for each in messages if not each.startswith(_MARK)])
    return msgspec.msgpack.encode([found, *of_read, _seconds_since(_name(combine), began)])


@dataclass(frozen=True)
class Measured:
    """CPU-seconds of one search for duplicates."""

    by_step: dict[str, float]
    """What ran in tasks."""
    driver: float
    duplicates: int

    @property
    def in_tasks(self) -> float:
        return sum(self.by_step.values())


def measure(tables: Tables, runner: MeasuredRunner) -> Measured:
    """Find the duplicates once."""
    runner.task_seconds.clear()
    stored = partial(live_files, tables.lake.open(EVENT))
    left_out = DuplicateDays(tables.config, tables.lake.storage, EVENT)
    began = time.process_time()
    report = find_duplicates(tables.lake, EVENT, tables.new, stored, left_out, Rules(DAYS), runner)
    driver = time.process_time() - began
    return Measured(dict(runner.task_seconds), driver, sum(len(each.rows) for each in (*report.new, *report.stored)))


def best(stored: int, new: int) -> Measured:
    """The best of some rounds: the first one has to import libraries in the processes that run tasks."""
    tables = make_tables(stored, new)
    runner = MeasuredRunner(get_session(tables.config, tables.lake.storage))
    found = min((measure(tables, runner) for _ in range(ROUNDS)), key=lambda each: each.in_tasks + each.driver)
    if found.duplicates != new // 100:
        raise AssertionError(f"{found.duplicates:,} duplicates found, of {new // 100:,}")
    return found


def in_a_process(stored: int, new: int) -> Measured:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale_dedupe", str(stored), str(new)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Measured)


def main() -> None:
    stored, new = (int(value) for value in (sys.argv[1:] + [str(STORED), str(NEW)][len(sys.argv) - 1 :]))
    print(msgspec.json.encode(best(stored, new)).decode())


if __name__ == "__main__":
    main()
