"""The DERIVE query: what is new in ``event`` becomes changes of ``user`` and ``session``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from streaming_app.config.model import Config
from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.rebuild import rebuild_stale_users
from streaming_app.ingest.stream import local_uri
from streaming_app.model.tables import EVENT
from streaming_app.storage import absolute
from streaming_app.tables.delta import Sink
from streaming_app.tables.session import upsert_sessions
from streaming_app.tables.user import upsert_users

States = Callable[[pa.Table], pa.Table]


def derive(spark: SparkSession, config: Config, sink: Sink, job_id: str) -> int:
    """Run the query until user and session know every event that was there at its start; returns its micro-batches."""
    batches = 0

    def process(events: DataFrame, batch_id: int) -> None:
        nonlocal batches
        update(events, config, sink, job_id, f"{_stream_id(events.sparkSession)}", batch_id)
        batches += 1

    query = (
        spark.readStream.format("delta")
        # A commit that takes events away (an erasure, a rebuild) is no news: it brings user and session along itself.
        .option("skipChangeCommits", "true")
        .load(absolute(sink.uri(EVENT)))
        .writeStream.foreachBatch(process)
        .option("checkpointLocation", absolute(config.checkpoint_uri("derive")))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    rebuild_stale_users(spark, config, sink, job_id)
    return batches


def update(events: DataFrame, config: Config, sink: Sink, job_id: str, stream_id: str, batch_id: int) -> None:
    """Bring the events of one micro-batch into both tables, each in one transaction that happens once."""
    created_ms = int(time.time() * 1000)
    # Spark says which files are new, the workers read them: no event passes through the JVM.
    files = events.select(F.input_file_name().alias("path"), "app_id").distinct()
    users = states(files, config, sink, user_rows.EVENT_COLUMNS, user_rows.states_of, user_rows.STATE_SCHEMA)
    upsert_users(users, sink, job_id, created_ms, (stream_id, batch_id))
    sessions = config.sessions
    found = states(
        files,
        config,
        sink,
        session_rows.EVENT_COLUMNS,
        lambda table: session_rows.states_of(table, sessions),
        session_rows.STATE_SCHEMA,
    )
    upsert_sessions(found, config, sink, created_ms, (stream_id, batch_id))


def states(
    files: DataFrame, config: Config, sink: Sink, columns: tuple[str, ...], states_of: States, schema: pa.Schema
) -> DataFrame:
    """The states of all events in some files of ``event``; computed in the workers, file by file."""
    storage = sink.storage

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for path, app_id in zip(batch["path"].to_pylist(), batch["app_id"].to_pylist(), strict=True):
                system, local = storage.filesystem(local_uri(path))
                events = pq.read_table(local, columns=list(columns), filesystem=system, partitioning=None)
                events = events.append_column("app_id", pa.repeat(app_id, len(events)))
                yield from states_of(events).to_batches()

    return files.mapInArrow(run, from_arrow_schema(schema)).persist()


def _stream_id(spark: SparkSession) -> str:
    return spark.sparkContext.getLocalProperty("sql.streaming.queryId") or ""
