"""The plan of the micro-batch that runs, which names its files. Spark has no public name for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyspark.sql import SparkSession


def leaves_of(spark: SparkSession, stream_id: str) -> Iterator[Any]:
    """What the plan of a running query reads.

    Raises:
        Py4JError, AttributeError, LookupError: it is not a plan of open source Spark.
    """
    query: Any = spark.streams._jsqm.get(stream_id)
    return scala_list(query.streamingQuery().lastExecution().logical().collectLeaves())


def scala_list(values: Any) -> Iterator[Any]:
    """The elements of one of Scala's collections."""
    iterator = values.iterator()
    while iterator.hasNext():
        yield iterator.next()
