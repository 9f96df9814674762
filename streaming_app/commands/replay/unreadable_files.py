"""Replaying raw files that could not be read at all: the whole file goes through ingest, in Spark's tasks.

Its name need not be one that Spark can read: Spark only carries it to a task. Events that are stored already are duplicates.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from streaming_app.commands.operation import Operation
from streaming_app.commands.replay.resolve import mark_resolved
from streaming_app.errors import Reason
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.batch_metrics import Timing
from streaming_app.ingest.commit.commit import commit_batch
from streaming_app.ingest.commit.task_runner import TaskRunner
from streaming_app.ingest.read.lines import BadPart, LineReader
from streaming_app.ingest.run_tasks import read_as_far_as_possible
from streaming_app.ingest.task_report import IngestReport
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake
from streaming_app.lake.rows import read_batches, read_columns
from streaming_app.metrics.progress import Progress
from streaming_app.model.tables import QUARANTINE
from streaming_app.spark.raw_file_stream import DEFAULT_BATCH_BYTES
from streaming_app.spark.session import get_session
from streaming_app.spark.tasks import SizedFile
from streaming_app.storage.files import Storage

_COLUMNS = ("reason", "stage", "app_id", "source_file", "created_time", "resolved_time")


class UnreadableFileRow(NamedTuple):
    """A row of ``quarantine`` about an unreadable raw file: its data file and position, and the raw file's URI."""

    file: DataFile
    position: int
    uri: str


def is_whole_file(row: dict[str, Any]) -> bool:
    """Whether a row of ``quarantine`` is about a raw file that could not be read."""
    return bool(row["reason"] == Reason.UNREADABLE_FILE)


def find_unreadable_files(lake: Lake, files: Iterable[DataFile], row_filter: Any) -> list[UnreadableFileRow]:
    """The selected rows of files that could not be read."""
    found = []
    for file in files:
        first = 0
        for rows in read_batches(lake, QUARANTINE, file, _COLUMNS):
            for number, row in enumerate(rows.to_pylist(), first):
                if is_whole_file(row) and row_filter.includes(row):
                    found.append(UnreadableFileRow(file, number, row["source_file"]))
            first += len(rows)
    return found


def can_be_read(storage: Storage, uri: str, max_line_bytes: int) -> bool:
    """Whether a file can be opened now."""
    first = next(iter(LineReader(storage, uri, max_line_bytes)), None)
    return first is None or not (isinstance(first[1], BadPart) and first[1].reason is Reason.UNREADABLE_FILE)


def replay_unreadable_files(this: Operation, rows: list[UnreadableFileRow], progress: Progress) -> None:
    """Read the files; rows of those that could be read now are marked. Damaged parts of them get rows of their own."""
    if not rows:
        return
    spark = get_session(this.config, this.lake.storage)
    still: set[str] = set()
    sized = [SizedFile(uri, _size_of(this.lake.storage, uri)) for uri in sorted({row.uri for row in rows})]
    for number, files in enumerate(_split_batches(sized)):
        began = time.monotonic()
        created_ms = int(time.time() * 1_000)
        stream = f"replay-files-{this.id}"
        batch = Batch(this.config, this.lake.storage, stream, number, this.job_id, created_ms, "replay")
        report = read_as_far_as_possible(spark, batch, files)
        still |= _find_still_unreadable(this.lake, report)
        timing = Timing(time.monotonic() - began, sum(file.size for file in files))
        metrics = commit_batch(batch, report, timing, this.lake, TaskRunner(spark))
        for name in ("written", "duplicate", "filtered"):
            this.count(name, getattr(metrics, name))
        progress.batch(metrics)
    this.count("tried", len(rows))
    _resolve(this, [row for row in rows if row.uri not in still])


def _resolve(this: Operation, rows: list[UnreadableFileRow]) -> None:
    positions: dict[str, list[int]] = {}
    for row in rows:
        positions.setdefault(row.file.path, []).append(row.position)
    for file in {row.file.path: row.file for row in rows}.values():
        mark_resolved(this, file, pa.array(positions[file.path], pa.int64()), int(time.time() * 1_000))
    this.count("resolved", len(rows))


def _find_still_unreadable(lake: Lake, report: IngestReport) -> set[str]:
    """The files that could not be read this time either."""
    found: set[str] = set()
    for file in report.of(QUARANTINE.name):
        rows = read_columns(f"{lake.uri(QUARANTINE)}/{file.path}", ["reason", "source_file"], lake.storage)
        found |= {row["source_file"] for row in rows.to_pylist() if is_whole_file(row)}
    return found


def _size_of(storage: Storage, uri: str) -> int:
    """Size in bytes, for a fair share of work; 1 where it is not known."""
    try:
        system, path = storage.filesystem(uri)
        return max(1, system.get_file_info(path).size or 1)
    except (OSError, pa.ArrowInvalid):
        return 1


def _split_batches(files: list[SizedFile]) -> Iterator[list[SizedFile]]:
    part: list[SizedFile] = []
    for file in files:
        if part and sum(each.size for each in part) + file.size > DEFAULT_BATCH_BYTES:
            yield part
            part = []
        part.append(file)
    if part:
        yield part
