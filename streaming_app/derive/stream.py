"""The DERIVE query: what is new in ``event`` becomes changes of ``user`` and ``session``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from streaming_app.config.model import Config, Sessions
from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.rebuild import rebuild_stale_users
from streaming_app.ingest.stream import local_uri
from streaming_app.model.tables import EVENT
from streaming_app.storage import Storage, absolute
from streaming_app.streams import run_available_now
from streaming_app.summary import Summary
from streaming_app.tables.delta import Sink
from streaming_app.tables.session import upsert_sessions
from streaming_app.tables.upsert import Transaction
from streaming_app.tables.user import upsert_users

BATCH_BYTES = 256 << 20
"""Size of the event files in one micro-batch: a few million events, whose states fit the driver many times over."""

CHUNK_ROWS = 1 << 17

COLUMNS = tuple(dict.fromkeys((*user_rows.EVENT_COLUMNS, *session_rows.EVENT_COLUMNS)))


def derive(spark: SparkSession, config: Config, sink: Sink, summary: Summary) -> None:
    """Run the query until user and session know every event that was there at its start."""

    def process(files: DataFrame, stream_id: str, batch_id: int) -> None:
        update(_spread(files.distinct()), config, sink, summary, (stream_id, batch_id))

    files = (
        spark.readStream.format("delta")
        # A commit that takes events away (an erasure, a rebuild) is no news: it brings user and session along itself.
        .option("skipChangeCommits", "true")
        .option("maxBytesPerTrigger", BATCH_BYTES)
        .load(absolute(sink.uri(EVENT)))
        # Spark says which files are new, the workers read them. Selected here, no other column is read by the JVM.
        .select(F.input_file_name().alias("path"), "app_id")
    )
    run_available_now(files, config.checkpoint_uri("derive"), process)
    with summary.timed("rebuild"):
        rebuild_stale_users(config, sink, summary.job_id)


def _spread(files: DataFrame) -> DataFrame:
    """The same few rows, dealt out one by one: left to hashing, two files often meet in one task while a core idles."""
    spark = files.sparkSession
    rows = files.collect()
    tasks = max(1, min(len(rows), 2 * spark.sparkContext.defaultParallelism))
    return spark.createDataFrame(rows, files.schema).repartition(tasks)


def update(files: DataFrame, config: Config, sink: Sink, summary: Summary, transaction: Transaction) -> None:
    """Bring the events of some files into both tables, each in one transaction that happens once."""
    created_ms = int(time.time() * 1000)
    with summary.timed("derive states"):
        found = files.mapInArrow(_worker(sink.storage, config.sessions), "users binary, sessions binary").collect()
    with summary.timed("derive user"):
        users = _joined(found, "users", user_rows.STATE_SCHEMA)
        upsert_users(sink, users, summary.job_id, created_ms, transaction)
    with summary.timed("derive session"):
        sessions = _joined(found, "sessions", session_rows.STATE_SCHEMA)
        upsert_sessions(sink, sessions, config.sessions, created_ms, transaction)


def _worker(storage: Storage, sessions: Sessions) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What each task runs: the states of all events of its files, file by file, as Arrow streams."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                for events in _chunks(storage, local_uri(row["path"]), row["app_id"]):
                    states = {
                        "users": to_ipc(user_rows.states_of(events)),
                        "sessions": to_ipc(session_rows.states_of(events, sessions)),
                    }
                    yield pa.RecordBatch.from_pylist([states])

    return run


def _chunks(storage: Storage, uri: str, app_id: str) -> Iterator[pa.Table]:
    """The events of one file, as many at a time as fit a worker's memory easily."""
    system, path = storage.filesystem(uri)
    with pq.ParquetFile(path, filesystem=system) as file:
        for batch in file.iter_batches(batch_size=CHUNK_ROWS, columns=list(COLUMNS)):
            events = pa.Table.from_batches([batch])
            yield events.append_column("app_id", pa.repeat(app_id, len(events)))


def to_ipc(table: pa.Table) -> bytes:
    """A table as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _joined(rows: Iterable[Row], name: str, schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([schema.empty_table(), *(pa.ipc.open_stream(row[name]).read_all() for row in rows)])
