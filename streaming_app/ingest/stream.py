"""The INGEST query: every unprocessed raw file, once, in micro-batches."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from streaming_app.config.model import Config
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit import Timing, commit_batch, is_committed
from streaming_app.ingest.file_pass import FilePass
from streaming_app.ingest.report import Report, merged
from streaming_app.source import raw_files
from streaming_app.streams import run_available_now
from streaming_app.tables.delta import Sink

OnBatch = Callable[[dict[str, Any]], None]


def ingest(spark: SparkSession, config: Config, sink: Sink, job_id: str, on_batch: OnBatch) -> None:
    """Run the query until every file that was there at its start is processed.

    ``on_batch`` is called after each commit with the batch's row of ``run_metrics``.
    """

    def process(files: DataFrame, stream_id: str, batch_id: int) -> None:
        batch = Batch(config, sink.storage, stream_id, batch_id, job_id, int(time.time() * 1000))
        if not is_committed(batch, sink):
            on_batch(process_batch(batch, files, sink))

    run_available_now(raw_files(spark, config), config.checkpoint_uri("ingest"), process)


def process_batch(batch: Batch, files: DataFrame, sink: Sink) -> dict[str, Any]:
    """Pass and commit of one micro-batch."""
    began = time.monotonic()
    rows = files.mapInArrow(_worker(batch), "report string, stored_bytes bigint").collect()
    report = merged(msgspec.json.decode(row.report, type=Report) for row in rows)
    timing = Timing(time.monotonic() - began, sum(row.stored_bytes for row in rows))
    return commit_batch(batch, report, timing, sink)


def _worker(batch: Batch) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What each task runs: the pass over its files, which yields one report."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        files = pa.Table.from_batches(batches) if (batches := list(batches)) else None
        if files is None or not files.num_rows:
            return
        uris = sorted(local_uri(uri) for uri in files["path"].to_pylist())
        task = f"part-{batch.batch_id:05d}-{uuid.uuid4().hex[:8]}"
        report = FilePass(batch, task).run(uris)
        stored = sum(files["length"].to_pylist())
        yield pa.RecordBatch.from_pylist([{"report": msgspec.json.encode(report).decode(), "stored_bytes": stored}])

    return run


def local_uri(uri: str) -> str:
    """A path or s3:// URI from what Spark calls a file.

    >>> local_uri("file:/data/a%20b.gz"), local_uri("s3a://bucket/a.gz")
    ('/data/a b.gz', 's3://bucket/a.gz')
    """
    parts = urlsplit(uri)
    path = unquote(parts.path)
    return path if parts.scheme in ("", "file") else f"s3://{parts.netloc}{path}"
