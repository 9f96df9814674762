"""Runs a streaming query over everything that is available now, and raises the error that stopped it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession

from streaming_app.errors import ClickstreamError, SinkError
from streaming_app.spark.tasks import release_memory
from streaming_app.storage.uris import absolute


@dataclass(frozen=True)
class MicroBatch:
    """A micro-batch from Spark: its frame, its number, and the id of its stream. The id belongs to the checkpoint: a new
    checkpoint counts its batches from 0."""

    frame: DataFrame
    stream_id: str
    batch_id: int

    @property
    def session(self) -> SparkSession:
        """The session that the query runs with."""
        return self.frame.sparkSession


def run_available_now(frame: DataFrame, checkpoint_uri: str, process: Callable[[MicroBatch], None]) -> None:
    """Process the data that is available at the start in micro-batches; each is committed in the checkpoint when ``process``
    returns.

    Raises:
        ClickstreamError: the error that ``process`` raised, or an error of the query.
    """
    failures: list[Exception] = []

    def for_each_batch(batch: DataFrame, batch_id: int) -> None:
        try:
            process(MicroBatch(batch, _running_query_id(batch.sparkSession), batch_id))
            release_memory()
        except Exception as error:
            failures.append(error)
            raise

    query = (
        frame.writeStream.foreachBatch(for_each_batch)
        .option("checkpointLocation", absolute(checkpoint_uri))
        .trigger(availableNow=True)
        .start()
    )
    try:
        query.awaitTermination()
    except StreamingQueryException as error:
        cause = failures[0] if failures else error
        if isinstance(cause, ClickstreamError):
            raise cause from error
        raise SinkError(
            f"the stream failed: {error_line(str(cause))}", "the next run goes on where this one stopped; --debug shows more"
        ) from error


def error_line(message: str) -> str:
    """The relevant line of an error's message: for a worker's error, the line below its traceback, and its origin."""
    _, begin, traceback = message.rpartition("Traceback (most recent call last):\n")
    lines = [line.strip() for line in traceback.splitlines() if line[:1].strip()]
    if not lines:
        return message.strip()
    frames = [line for line in lines[1:] if begin and line.startswith("at ")]
    return f"{lines[0]} ({frames[0]})" if frames else lines[0]


def _running_query_id(spark: SparkSession) -> str:
    return spark.sparkContext.getLocalProperty("sql.streaming.queryId") or ""


def leaves_of(spark: SparkSession, stream_id: str) -> Iterator[Any]:
    """The leaves of a running query's plan, which name the files of its micro-batch. Spark has no public API for that.

    Raises:
        Py4JError, AttributeError, LookupError: it is not a plan of open source Spark.
    """
    query: Any = spark.streams._jsqm.get(stream_id)
    return scala_list(query.streamingQuery().lastExecution().logical().collectLeaves())


def scala_list(values: Any) -> Iterator[Any]:
    """The elements of a Scala collection."""
    iterator = values.iterator()
    while iterator.hasNext():
        yield iterator.next()
