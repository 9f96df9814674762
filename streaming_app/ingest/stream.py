"""The INGEST query: every unprocessed raw file, once, in micro-batches."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from functools import partial

from streaming_app.backlog.unprocessed import Backlog, find_backlog, key_of
from streaming_app.config.model import Config
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.batch_metrics import Timing
from streaming_app.ingest.commit.commit import commit_batch, passed_commit_point
from streaming_app.ingest.commit.task_runner import TaskRunner
from streaming_app.ingest.failures import NOT_PLANNED, name_failed_batch
from streaming_app.ingest.refused_objects import check_not_all, find_refused_files, find_refused_folders, skip_refused_batch
from streaming_app.ingest.run_tasks import read_files
from streaming_app.ingest.set_aside import find_passed_over_files, set_aside
from streaming_app.lake.lake import Lake
from streaming_app.model.run_metrics import BatchMetrics
from streaming_app.spark.raw_file_stream import files_of, raw_files
from streaming_app.spark.session import Session
from streaming_app.spark.streams import MicroBatch, run_available_now
from streaming_app.spark.tasks import SizedFile
from streaming_app.storage.any_objects import AnyObjects

OnBatch = Callable[[BatchMetrics], None]


def ingest(spark: Session, config: Config, lake: Lake, backlog: Backlog, job_id: str, on_batch: OnBatch) -> None:
    """Run the query of one source partition until every file that existed at its start is processed or set aside.

    ``on_batch`` is called after each commit.
    """
    objects = AnyObjects(config.s3.endpoint, config.s3.region)
    while backlog:
        backlog = _Ingest(spark, config, lake, backlog, job_id, on_batch).run(objects)
        if not backlog.is_part:
            return
        backlog = find_backlog(backlog.source_partition, config.source.glob, objects)


class _Ingest:
    """The query over one backlog."""

    def __init__(self, spark: Session, config: Config, lake: Lake, backlog: Backlog, job_id: str, on_batch: OnBatch) -> None:
        self._spark, self._config, self._lake, self._job_id = spark, config, lake, job_id
        self._backlog, self._source_partition, self._on_batch = backlog, backlog.source_partition, on_batch
        self._reached = -1  # the last micro-batch that Spark handed out
        self._failed: Exception | None = None  # what its processing raised, if it did

    def run(self, objects: AnyObjects) -> Backlog:
        """Run the query; returns the backlog as it was last listed."""
        self._stream(objects)
        unreadable = self._backlog.unreadable | find_passed_over_files(self._backlog, self._config.source.glob, objects)
        if unreadable:
            self._on_batch(set_aside(unreadable, self._batch(f"set-aside-{uuid.uuid4()}", 0), self._source_partition, self._lake))
        return self._backlog

    def _stream(self, objects: AnyObjects) -> None:
        """Run the query, and restart it if S3 refuses single objects to Spark."""
        while self._backlog.directories or self._backlog.unfinished:
            before = set(self._backlog.directories), self._reached
            try:
                run_available_now(
                    raw_files(self._spark, self._config.source, self._backlog.spark_paths),
                    self._source_partition.checkpoint,
                    self._process,
                )
            except Exception as error:
                if (
                    error is self._failed
                    or not self._without_refused(objects)
                    or before == (self._backlog.directories, self._reached)
                ):
                    raise
            else:
                return

    def _without_refused(self, objects: AnyObjects) -> bool:
        """Take objects that S3 refuses out of the way of Spark; returns whether there were any."""
        batch = skip_refused_batch(self._source_partition, self._reached, self._backlog, objects, self._files, self._lake.storage)
        if batch is not None:
            self._reached = batch
            return True
        folders = find_refused_folders(self._backlog, self._lake.storage)
        if folders:
            blocked = self._backlog.blocked | folders
            self._backlog = find_backlog(self._source_partition, self._config.source.glob, objects, blocked=blocked)
            return True
        refused = find_refused_files(self._backlog, self._lake.storage)
        files = [SizedFile(uri, self._backlog.unread[key_of(uri)]) for uri in refused]
        check_not_all(files, self._backlog, self._batch(self._source_partition.name, NOT_PLANNED))
        self._backlog.set_aside(refused)
        return bool(refused)

    def _process(self, batch: MicroBatch) -> None:
        self._reached = batch.batch_id
        self._files(partial(files_of, self._spark, batch), batch.stream_id, batch.batch_id)

    def _files(self, list_files: Callable[[], Iterable[SizedFile]], stream_id: str, batch_id: int) -> None:
        batch = self._batch(stream_id, batch_id)
        if passed_commit_point(batch, self._lake):
            return
        found = sorted(list_files(), key=lambda file: file.uri)
        try:
            with name_failed_batch(batch, found):
                self._on_batch(process_files(self._spark, batch, found, self._lake))
        except Exception as error:
            self._failed = error
            raise
        for file in found:
            self._backlog.unread.pop(key_of(file.uri), None)

    def _batch(self, stream_id: str, batch_id: int) -> Batch:
        created_ms = int(time.time() * 1000)
        name, is_retry = self._source_partition.name, self._backlog.unfinished
        return Batch(self._config, self._lake.storage, stream_id, batch_id, self._job_id, created_ms, name, is_retry)


def process_files(spark: Session, batch: Batch, files: list[SizedFile], lake: Lake) -> BatchMetrics:
    """Process the files of one micro-batch and commit it."""
    began = time.monotonic()
    report = read_files(spark, batch, files)
    timing = Timing(time.monotonic() - began, sum(file.size for file in files))
    return commit_batch(batch, report, timing, lake, TaskRunner(spark))
