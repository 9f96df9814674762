"""Runs two rounds of tasks with Spark's shuffle between them: groups are read, and what was read is combined by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from pyspark.sql import SparkSession

from streaming_app.spark.tasks import G, end_task

P = TypeVar("P")


def exchange(
    spark: SparkSession | None,
    groups: Sequence[G],
    read: Callable[[G], Iterable[tuple[int, bytes]]],
    parts: Sequence[P],
    combine: Callable[[P, list[bytes]], bytes],
) -> list[bytes]:
    """Run ``read`` on each group, which yields messages by the number of a part, then ``combine`` on each part and its messages.

    1. A task for each group reads it.
    2. Spark shuffles the messages to the tasks of the parts, one for each part, also for one without a message.
    3. Each of these tasks combines its messages; what it returns comes back to the driver, in no order.

    A task is sent its own group or part, and no other. Spark may run a task twice: what it writes counts only if the driver
    commits it. Without a session, everything happens in this process.
    """
    if spark is None:
        return _exchange_here(groups, read, parts, combine)
    if not parts:
        return []
    context = spark.sparkContext
    described: list[tuple[int, P | bytes]] = list(enumerate(parts))
    pairs = context.parallelize(described, min(len(parts), context.defaultParallelism))
    if groups:
        pairs = pairs.union(context.parallelize(groups, len(groups)).mapPartitions(partial(_read, read)))
    return list(pairs.partitionBy(len(parts), int).mapPartitions(partial(_combine, combine)).collect())


def _exchange_here(
    groups: Sequence[G],
    read: Callable[[G], Iterable[tuple[int, bytes]]],
    parts: Sequence[P],
    combine: Callable[[P, list[bytes]], bytes],
) -> list[bytes]:
    messages: list[list[bytes]] = [[] for _ in parts]
    for group in groups:
        for number, message in read(group):
            messages[number].append(message)
    return [combine(part, of_part) for part, of_part in zip(parts, messages, strict=True)]


def _read(read: Callable[[G], Iterable[tuple[int, bytes]]], groups: Iterable[G]) -> Iterator[tuple[int, Any]]:
    for group in groups:
        yield from read(group)
    end_task()


def _combine(combine: Callable[[P, list[bytes]], bytes], pairs: Iterable[tuple[int, P | bytes]]) -> Iterator[bytes]:
    """Run in the task of a part, whose number it is: its description, which is not bytes, comes among its messages."""
    parts: list[P] = []
    messages: list[bytes] = []
    for _, found in pairs:
        if isinstance(found, bytes):
            messages.append(found)
        else:
            parts.append(found)
    for part in parts:
        yield combine(part, messages)
    end_task()
