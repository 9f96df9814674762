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
from streaming_app.streams import run_available_now
from streaming_app.tables.delta import Sink
from streaming_app.tables.session import upsert_sessions
from streaming_app.tables.upsert import Transaction
from streaming_app.tables.user import upsert_users

States = Callable[[pa.Table], pa.Table]


def derive(spark: SparkSession, config: Config, sink: Sink, job_id: str) -> None:
    """Run the query until user and session know every event that was there at its start."""

    def process(events: DataFrame, stream_id: str, batch_id: int) -> None:
        update(events, config, sink, job_id, (stream_id, batch_id))

    # A commit that takes events away (an erasure, a rebuild) is no news: it brings user and session along itself.
    events = spark.readStream.format("delta").option("skipChangeCommits", "true").load(absolute(sink.uri(EVENT)))
    run_available_now(events, config.checkpoint_uri("derive"), process)
    rebuild_stale_users(spark, config, sink, job_id)


def update(events: DataFrame, config: Config, sink: Sink, job_id: str, transaction: Transaction) -> None:
    """Bring the events of one micro-batch into both tables, each in one transaction that happens once."""
    created_ms = int(time.time() * 1000)
    sessions = config.sessions
    # Spark says which files are new, the workers read them: no event passes through the JVM.
    files = events.select(F.input_file_name().alias("path"), "app_id").distinct().persist()
    users = states(files, sink, user_rows.EVENT_COLUMNS, user_rows.states_of, user_rows.STATE_SCHEMA)
    upsert_users(users, sink, job_id, created_ms, transaction)
    found = states(
        files,
        sink,
        session_rows.EVENT_COLUMNS,
        lambda table: session_rows.states_of(table, sessions),
        session_rows.STATE_SCHEMA,
    )
    upsert_sessions(found, config, sink, created_ms, transaction)
    for frame in (files, users, found):
        frame.unpersist()


def states(files: DataFrame, sink: Sink, columns: tuple[str, ...], states_of: States, schema: pa.Schema) -> DataFrame:
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
