"""Runs two rounds of tasks with Spark's shuffle between them: files are read in groups, and the results combined by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa
from pyspark.sql import SparkSession

from streaming_app.spark.tasks import F

_READ_SCHEMA = pa.schema([("part", pa.int32()), ("message", pa.binary())])
_COMBINED_SCHEMA = pa.schema([("message", pa.binary())])


def exchange(
    spark: SparkSession,
    groups: Sequence[list[F]],
    read: Callable[[list[F]], Iterable[tuple[int, bytes]]],
    combine: Callable[[Iterable[bytes]], bytes],
) -> list[bytes]:
    """Run ``read`` on each group, which yields messages by part, then ``combine`` on all messages of each part.

    Returns the results of ``combine``, in no order; it is not called for parts without a message.
    """
    if not groups:
        return []

    def read_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch["id"].to_pylist():
                for part, message in read(groups[number]):
                    yield pa.RecordBatch.from_pydict({"part": [part], "message": [message]}, schema=_READ_SCHEMA)

    def combine_part(rows: pa.Table) -> pa.Table:
        return pa.table({"message": [combine(rows["message"].to_pylist())]}, schema=_COMBINED_SCHEMA)

    # A range of n numbers in n partitions: one task for each group, whatever their number.
    numbers = spark.range(0, len(groups), 1, len(groups)).mapInArrow(read_groups, "part int, message binary")
    combined = numbers.groupBy("part").applyInArrow(combine_part, "message binary").collect()
    return [bytes(row["message"]) for row in combined]
