"""The ``session`` table: upsert of session states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from streaming_app.config.model import Config, Sessions
from streaming_app.derive import session_rows
from streaming_app.model.tables import SESSION
from streaming_app.tables.delta import Sink
from streaming_app.tables.upsert import Transaction, idempotent, target

_USER = ["app_id", "user_pseudo_id"]


def upsert_sessions(states: DataFrame, config: Config, sink: Sink, created_ms: int, transaction: Transaction | None) -> None:
    """Combine new states with the sessions they extend or join, and write those that have news."""
    spark = states.sparkSession
    reach = timedelta(days=config.sessions.max_days, minutes=config.sessions.timeout_minutes)
    bounds = states.agg(F.min("first_msec").alias("first"), F.max("last_msec").alias("last")).first()
    if bounds is None or bounds["first"] is None:
        return
    reach_ms = int(reach.total_seconds() * 1000)
    # A session outside cannot be joined; literal bounds let Delta pass over its files by their statistics.
    near = (
        f"session_end >= timestamp_millis({bounds['first'] - reach_ms}) "
        f"AND event_timestamp <= timestamp_millis({bounds['last'] + reach_ms})"
    )
    stored = target(spark, sink, SESSION).toDF().where(near).join(states.select(*_USER).distinct(), _USER, "left_semi")
    new = states.withColumns({"stored_id": F.lit(None).cast("string"), "stored_msec": F.lit(None).cast("bigint")})
    rows = (
        new.unionByName(as_states(stored))
        .repartition(*_USER)
        .mapInArrow(_rows(config.sessions, created_ms), from_arrow_schema(session_rows.MERGE_SCHEMA))
    )
    write_sessions(rows, sink, near, transaction)


def write_sessions(rows: DataFrame, sink: Sink, near: str, transaction: Transaction | None) -> None:
    """Write rows of :data:`~streaming_app.derive.session_rows.MERGE_SCHEMA`; ``near`` holds for every row they replace."""
    spark = rows.sparkSession
    columns: dict[str, str | Column] = {name: f"s.{name}" for name in SESSION.schema.names}
    on = (
        "t.app_id = s.app_id AND t.user_pseudo_id = s.user_pseudo_id "
        "AND t.session_id = s.match_id AND t.event_timestamp = s.match_start AND "
        + near.replace("session_end", "t.session_end").replace("event_timestamp", "t.event_timestamp")
    )
    with idempotent(spark, transaction):
        (
            target(spark, sink, SESSION)
            .alias("t")
            .merge(rows.alias("s"), on)
            .whenMatchedDelete("s.is_gone")
            .whenMatchedUpdate(set=columns)
            .whenNotMatchedInsert(condition="NOT s.is_gone", values=columns)
            .execute()
        )


def as_states(sessions: DataFrame) -> DataFrame:
    """Rows of the table as the states that they are, marked as stored."""
    first, last = F.unix_millis("event_timestamp"), F.unix_millis("session_end")
    columns = {"first_msec": first, "last_msec": last, "stored_id": F.col("session_id"), "stored_msec": first}
    client_id = F.when(~F.col("is_inferred"), F.col("session_id"))
    return sessions.withColumns(columns).withColumn("session_id", client_id).select(*session_rows.STORED_SCHEMA.names)


def _rows(sessions: Sessions, created_ms: int) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        states = pa.Table.from_batches(batches, schema=session_rows.STORED_SCHEMA)
        yield from session_rows.rows_of(states, sessions, created_ms).to_batches()

    return run
