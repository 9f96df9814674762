"""The ``user`` table: upsert of user states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from streaming_app.derive import user_rows
from streaming_app.model.tables import USER
from streaming_app.tables.delta import Sink
from streaming_app.tables.upsert import Transaction, idempotent, target

KEY = ["app_id", "user_pseudo_id"]


def upsert_users(states: DataFrame, sink: Sink, job_id: str, created_ms: int, transaction: Transaction | None) -> None:
    """Combine new states with the rows that are there, and write the users that have news."""
    spark = states.sparkSession
    table = target(spark, sink, USER)
    stored = table.toDF().join(states.select(*KEY).distinct(), KEY, "left_semi")
    write_users(states.unionByName(as_states(stored)), sink, job_id, created_ms, transaction)


def write_users(states: DataFrame, sink: Sink, job_id: str, created_ms: int, transaction: Transaction | None) -> None:
    """Write the rows that some states make, in place of those with the same key."""
    spark = states.sparkSession
    rows = states.repartition(*KEY).mapInArrow(_rows(job_id, created_ms), from_arrow_schema(USER.schema))
    with idempotent(spark, transaction):
        (
            target(spark, sink, USER)
            .alias("t")
            .merge(rows.alias("s"), " AND ".join(f"t.{name} = s.{name}" for name in KEY))
            .whenMatchedUpdateAll()
            .whenNotMatchedInsertAll()
            .execute()
        )


def as_states(users: DataFrame) -> DataFrame:
    """Rows of the table as the states that they are."""
    return users.withColumn("last_msec", F.unix_millis("event_timestamp")).select(*user_rows.STATE_COLUMNS)


def _rows(job_id: str, created_ms: int) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        states = pa.Table.from_batches(batches, schema=user_rows.STATE_SCHEMA)
        yield from user_rows.rows_of(user_rows.combine_states(states), job_id, created_ms).to_batches()

    return run
