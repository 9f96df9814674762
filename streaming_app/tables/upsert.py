"""MERGE into a Delta table, once per micro-batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from streaming_app.model.tables import Table
from streaming_app.storage import absolute
from streaming_app.tables.delta import Sink

Transaction = tuple[str, int]
"""Id of the stream and number of its micro-batch."""

_APP_ID, _VERSION = "spark.databricks.delta.write.txnAppId", "spark.databricks.delta.write.txnVersion"


@contextmanager
def idempotent(spark: SparkSession, transaction: Transaction | None) -> Iterator[None]:
    """Inside, a write that was committed under this transaction before does nothing.

    The settings are the session's and would hit every later write: they are always taken back.
    """
    if transaction is None:
        yield
        return
    stream_id, batch_id = transaction
    spark.conf.set(_APP_ID, stream_id)
    spark.conf.set(_VERSION, str(batch_id))
    try:
        yield
    finally:
        spark.conf.unset(_APP_ID)
        spark.conf.unset(_VERSION)


def target(spark: SparkSession, sink: Sink, table: Table) -> DeltaTable:
    return DeltaTable.forPath(spark, absolute(sink.uri(table)))
