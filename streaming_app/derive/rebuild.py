"""User and session made anew from ``event`` for some users, in place of whatever is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from streaming_app.config.model import Config, Sessions
from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.stale import Users, stale_users
from streaming_app.model.tables import EVENT, SESSION, USER
from streaming_app.storage import absolute
from streaming_app.tables.delta import Sink
from streaming_app.tables.session import write_sessions
from streaming_app.tables.upsert import target

_KEY = ["app_id", "user_pseudo_id"]
_SESSION = [*_KEY, "session_id", "event_timestamp"]


def rebuild_stale_users(spark: SparkSession, config: Config, sink: Sink, job_id: str) -> None:
    """Rebuild the users noted as stale; the notes go only after that, so a crash repeats it."""
    users, notes = stale_users(config, sink.storage)
    if users:
        rebuild_users(spark, config, sink, job_id, users)
    for note in notes:
        sink.storage.delete(note)


def rebuild_users(spark: SparkSession, config: Config, sink: Sink, job_id: str, users: Users) -> None:
    """Make the rows of some users anew; users and sessions without events disappear.

    Call it only when derive has read all of ``event``: what it has not read yet would be counted twice.
    """
    created_ms = int(time.time() * 1000)
    keys = F.broadcast(spark.createDataFrame(sorted(users), "app_id string, user_pseudo_id string"))
    events = spark.read.format("delta").load(absolute(sink.uri(EVENT))).join(keys, _KEY, "left_semi")
    _replace_users(events, keys, sink, _user_rows(job_id, created_ms))
    _replace_sessions(events, keys, sink, _session_rows(config.sessions, created_ms))


ToRows = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def _user_rows(job_id: str, created_ms: int) -> ToRows:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        if table := _table(batches):
            yield from user_rows.rows_of(user_rows.states_of(table), job_id, created_ms).to_batches()

    return run


def _session_rows(sessions: Sessions, created_ms: int) -> ToRows:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        if table := _table(batches):
            states = session_rows.with_stored(session_rows.states_of(table, sessions))
            yield from session_rows.rows_of(states, sessions, created_ms).to_batches()

    return run


def _table(batches: Iterable[pa.RecordBatch]) -> pa.Table | None:
    found = list(batches)
    return pa.Table.from_batches(found) if found else None


def _replace_users(events: DataFrame, keys: DataFrame, sink: Sink, to_rows: ToRows) -> None:
    read = events.select("app_id", *user_rows.EVENT_COLUMNS).repartition(*_KEY)
    rows = keys.join(read.mapInArrow(to_rows, from_arrow_schema(USER.schema)), _KEY, "left")
    (
        target(events.sparkSession, sink, USER)
        .alias("t")
        .merge(rows.alias("s"), " AND ".join(f"t.{name} = s.{name}" for name in _KEY))
        .whenMatchedDelete("s.event_timestamp IS NULL")
        .whenMatchedUpdateAll()
        .whenNotMatchedInsert("s.event_timestamp IS NOT NULL", {name: f"s.{name}" for name in USER.schema.names})
        .execute()
    )


def _replace_sessions(events: DataFrame, keys: DataFrame, sink: Sink, to_rows: ToRows) -> None:
    read = events.select("app_id", *session_rows.EVENT_COLUMNS).repartition(*_KEY)
    rows = read.mapInArrow(to_rows, from_arrow_schema(session_rows.MERGE_SCHEMA)).drop("match_id", "match_start", "is_gone")
    stored = target(events.sparkSession, sink, SESSION).toDF().join(keys, _KEY, "left_semi").select(*_SESSION)
    matched = {"match_id": F.col("session_id"), "match_start": F.col("event_timestamp")}
    both = rows.join(stored.withColumns(matched), _SESSION, "full_outer").withColumn("is_gone", F.col("session_end").isNull())
    write_sessions(both, sink, near="true", transaction=None)
