"""Processes the files of a micro-batch in Spark's tasks; a file that kills its task is set aside by name."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterator, Sequence
from functools import partial

import msgspec

from streaming_app.errors import SinkError, StorageError
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.failures import FAILED_RUNS, no_file_readable, times_failed
from streaming_app.ingest.file_processor import FileProcessor
from streaming_app.ingest.isolate import Isolated, isolate
from streaming_app.ingest.set_aside import set_aside_report
from streaming_app.ingest.task_report import IngestReport, merge_reports
from streaming_app.ingest.trials import Trials
from streaming_app.spark.session import Session
from streaming_app.spark.streams import error_line
from streaming_app.spark.tasks import SizedFile, group_by_size, parallelism, run_tasks

_ERRORS = f"{StorageError.__module__}."
_DIED = re.compile(r"Python worker (exited unexpectedly|failed to connect)[^\n.:]*")
_LOST = re.compile(r"ExecutorLostFailure \(executor \S+ exited[^)]*\)(?: Reason: ([^\n]*))?")


def read_files(spark: Session, batch: Batch, files: Sequence[SizedFile]) -> IngestReport:
    """Process the files; a file that kills its task twice becomes a row of quarantine.

    Raises:
        StorageError: the storage fails; the files are not the cause.
        SourceError, SinkError: no file could be read.
    """
    found, report = _read_isolated(spark, batch, files)
    if len(files) > 1 and len(found.failed) + report.counts.forbidden == len(files) and times_failed(batch) < FAILED_RUNS:
        raise _of_all(found, len(files))
    return _with_failed(batch, report, found)


def read_as_far_as_possible(spark: Session, batch: Batch, files: Sequence[SizedFile]) -> IngestReport:
    """Process the files, even if none can be read.

    Raises:
        StorageError: as above.
    """
    found, report = _read_isolated(spark, batch, files)
    return _with_failed(batch, report, found)


def _read_isolated(
    spark: Session, batch: Batch, files: Sequence[SizedFile]
) -> tuple[Isolated[SizedFile, list[IngestReport]], IngestReport]:
    """The results of the good files with the files that failed, and the merged report."""
    with Trials(batch) as trials:
        suspects = trials.suspects(files)
        if batch.is_retry and suspects is None:
            trials.begin(files)
        found = isolate(files, partial(_run, spark, batch), suspects, trials.begin)
    return found, merge_reports(each for part in found.results for each in part)


def _with_failed(batch: Batch, report: IngestReport, found: Isolated[SizedFile, list[IngestReport]]) -> IngestReport:
    died = {file.uri: f"the task that reads it died: {_cause(error)}" for file, error in found.failed}
    return merge_reports([report, set_aside_report(batch, died)]) if died else report


def _run(spark: Session, batch: Batch, files: Sequence[SizedFile]) -> list[IngestReport]:
    groups = group_by_size(files, parallelism(spark)) if files else [[]]
    try:
        messages = run_tasks(spark, groups, partial(_process_group, batch))
    except Exception as error:
        cause = error_line(str(error))
        if cause.startswith(_ERRORS):  # an error that this application raised in a worker: the files are not the cause
            raise StorageError(cause.partition(": ")[2] or cause, "the next run goes on where this one stopped") from error
        raise
    return [msgspec.json.decode(each, type=IngestReport) for each in messages]


def _process_group(batch: Batch, group: list[SizedFile]) -> Iterator[bytes]:
    """Run in each task: process its files; yields one report, JSON."""
    logging.getLogger("clickstream").setLevel(logging.ERROR)  # the driver has logged what concerns the configuration
    task = f"part-{batch.batch_id:05d}-{uuid.uuid4().hex[:8]}"
    try:
        yield msgspec.json.encode(FileProcessor(batch, task).run(file.uri for file in group))
    except OSError as error:  # of the output or of an enricher's files: errors of raw files were handled before
        raise StorageError(f"{type(error).__name__}: {error}") from error


def _of_all(found: Isolated[SizedFile, list[IngestReport]], files: int) -> Exception:
    if not found.failed:
        return no_file_readable(files)
    file, error = found.failed[0]
    return SinkError(
        f"the tasks of all {files:,} files died, of {file.uri}: {_cause(error)}",
        f"put right what they die of; after {FAILED_RUNS} runs in a row the files are set aside",
    )


def _cause(error: Exception) -> str:
    """The cause in one line: Spark reports the death of a worker with a hundred lines of stack trace.

    >>> _cause(Exception("Lost task 0.3 (TID 7): ExecutorLostFailure (executor 4 exited by a task) Reason: code 137\\nat x"))
    'executor lost: code 137'
    """
    if lost := _LOST.search(str(error)):
        return f"executor lost: {lost[1]}" if lost[1] else "executor lost"
    died = _DIED.search(str(error))
    return died[0] if died else error_line(str(error)).partition("\n")[0]
