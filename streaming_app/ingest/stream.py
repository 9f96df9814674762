"""The INGEST query: every unprocessed raw file, once, in micro-batches."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec
from pyspark.sql import DataFrame, SparkSession

from streaming_app.backlog.unprocessed import Backlog
from streaming_app.config.model import Config
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.batch_metrics import Timing
from streaming_app.ingest.commit import commit_batch, is_committed
from streaming_app.ingest.file_pass import FilePass
from streaming_app.ingest.report import Report, merged
from streaming_app.source import raw_files
from streaming_app.streams import run_available_now
from streaming_app.tables.delta import Sink
from streaming_app.tasks import Group, SizedFile, grouped, run_tasks
from streaming_app.uris import from_hadoop_path

OnBatch = Callable[[dict[str, Any]], None]


def ingest(spark: SparkSession, config: Config, sink: Sink, backlog: Backlog, job_id: str, on_batch: OnBatch) -> None:
    """Run the query of one window until every file that was there at its start is processed.

    ``on_batch`` is called after each commit with the batch's row of ``run_metrics``.
    """
    window = backlog.window

    def process(files: DataFrame, stream_id: str, batch_id: int) -> None:
        batch = Batch(config, sink.storage, stream_id, batch_id, job_id, int(time.time() * 1000), window.name)
        if not is_committed(batch, sink):
            on_batch(process_batch(batch, files, sink))

    run_available_now(raw_files(spark, config.source, backlog), window.checkpoint, process)


def process_batch(batch: Batch, files: DataFrame, sink: Sink) -> dict[str, Any]:
    """Pass and commit of one micro-batch."""
    began = time.monotonic()
    found = [SizedFile(from_hadoop_path(row["path"]), row["length"]) for row in files.collect()]
    spark = files.sparkSession
    groups = grouped(found, spark.sparkContext.defaultParallelism)
    reports = run_tasks(spark, groups, partial(_pass, batch))
    report = merged(msgspec.json.decode(each, type=Report) for each in reports)
    timing = Timing(time.monotonic() - began, sum(file.size for file in found))
    return commit_batch(batch, report, timing, sink)


def _pass(batch: Batch, group: Group) -> Iterator[bytes]:
    """What each task runs: the pass over its files, which makes one report."""
    logging.getLogger("clickstream").setLevel(logging.ERROR)  # the driver has said what there is to say of the configuration
    task = f"part-{batch.batch_id:05d}-{uuid.uuid4().hex[:8]}"
    yield msgspec.json.encode(FilePass(batch, task).run(file.uri for file in group))
