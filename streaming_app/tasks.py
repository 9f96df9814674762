"""Work for Spark's tasks: groups of files, one group a task, and a Python function that makes bytes of each group."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import SparkSession

TASK_BYTES = 64 << 20
"""Stored bytes that one task should read: half a minute of work for a core."""

_SLACK = 0.25


@dataclass(frozen=True, slots=True)
class SizedFile:
    """A file to be read; ``tag`` is whatever its reader needs to know besides."""

    uri: str
    size: int
    tag: str = ""

    @property
    def folder(self) -> str:
        return self.uri.rpartition("/")[0]


Group = list[SizedFile]


def grouped(files: Iterable[SizedFile], cores: int) -> list[Group]:
    """Files in groups of about equal size, neighbours together, cut between folders where that is near enough.

    What was sent at one time lies in one folder: the copies of an event then meet in one task, which is the cheapest
    place to tell them apart.
    """
    ordered = sorted(files, key=lambda file: file.uri)
    total = sum(file.size for file in ordered)
    count = min(len(ordered), max(cores, math.ceil(total / TASK_BYTES)))
    groups: list[Group] = []
    share = 0.0  # of the group at hand: 1 is its fair part of all bytes
    for file in ordered:
        own = file.size / total * count if total else 0.0
        if not groups or (len(groups) < count and _is_full(groups[-1][-1], share, file, own)):
            groups.append([])
            share = 0.0
        groups[-1].append(file)
        share += own
    return groups


def _is_full(last: SizedFile, share: float, file: SizedFile, own: float) -> bool:
    """Whether a group that ends with ``last`` is better left without ``file``."""
    if last.folder != file.folder:
        return share >= 1 - _SLACK
    return share >= 1 / 2 and share + own > 1 + _SLACK


def run_tasks(spark: SparkSession, groups: Sequence[Group], work: Callable[[Group], Iterable[bytes]]) -> list[bytes]:
    """Run ``work`` on each group, a task each; everything that it yields, in no order."""
    if not groups:
        return []

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch["id"].to_pylist():
                for made in work(groups[number]):
                    yield pa.RecordBatch.from_pydict({"made": [made]}, schema=pa.schema([("made", pa.binary())]))
        # Else a worker that waits for its next task keeps 300 MB that it does not need.
        pa.default_memory_pool().release_unused()

    # A range of n numbers in n partitions: one task for each group, whatever their number.
    numbers = spark.range(0, len(groups), 1, len(groups))
    return [bytes(row["made"]) for row in numbers.mapInArrow(run, "made binary").collect()]
