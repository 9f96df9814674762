"""Running a streaming query over everything that is available now, and ending with the error that it really met."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession

from streaming_app.errors import ClickstreamError, SinkError
from streaming_app.spark.memory import give_back
from streaming_app.storage.uris import absolute

Process = Callable[[DataFrame, str, int], None]
"""Takes a micro-batch, the id of its stream and its number."""


def run_available_now(frame: DataFrame, checkpoint_uri: str, process: Process) -> None:
    """Process what was there at the start in micro-batches; each is recorded in the checkpoint when ``process`` returns.

    Raises:
        ClickstreamError: what ``process`` raised, or what went wrong around it.
    """
    failures: list[Exception] = []

    def for_each_batch(batch: DataFrame, batch_id: int) -> None:
        try:
            process(batch, stream_id(batch.sparkSession), batch_id)
            give_back()
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
            f"the stream failed: {gist(str(cause))}", "the next run goes on where this one stopped; --debug shows more"
        ) from error


def gist(message: str) -> str:
    """The line that says what went wrong: of a worker's error, the one below its traceback, and where it was."""
    _, begin, traceback = message.rpartition("Traceback (most recent call last):\n")
    lines = [line.strip() for line in traceback.splitlines() if line[:1].strip()]
    if not lines:
        return message.strip()
    places = [line for line in lines[1:] if begin and line.startswith("at ")]
    return f"{lines[0]} ({places[0]})" if places else lines[0]


def stream_id(spark: SparkSession) -> str:
    """The id of the running query: it belongs to the checkpoint, so a new checkpoint counts its batches anew."""
    return spark.sparkContext.getLocalProperty("sql.streaming.queryId") or ""
