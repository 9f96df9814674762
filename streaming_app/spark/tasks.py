"""Runs a Python function in Spark's tasks, one group of files a task; it returns messages (bytes)."""

from __future__ import annotations

import ctypes
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from zipimport import zipimporter

import pyarrow as pa
from pyspark.sql import SparkSession

TASK_BYTES = 32 << 20
"""Stored bytes that one task should read: a quarter of a minute of a core. A micro-batch of eight for each core waits little for
its last ones."""

_SLACK = 0.25


@dataclass(frozen=True, slots=True)
class SizedFile:
    """A file to be read; ``size`` in bytes, as stored."""

    uri: str
    size: int

    @property
    def folder(self) -> str:
        return self.uri.rpartition("/")[0]


F = TypeVar("F", bound=SizedFile)
G = TypeVar("G")


def group_by_size(files: Iterable[F], cores: int) -> list[list[F]]:
    """Group files by about equal size, neighbours together, and split between folders where possible.

    Requests of the same time are in one folder: duplicates of an event are then read by one task, where they cost least.
    """
    ordered = sorted(files, key=lambda file: file.uri)
    folders: Counter[str] = Counter()
    for file in ordered:
        folders[file.folder] += file.size
    left = folders.total()  # bytes of the current group and of those to come
    count = min(len(ordered), max(cores, math.ceil(left / TASK_BYTES)))
    groups: list[list[F]] = []
    taken = 0
    for file in ordered:
        fair = left / (count - len(groups) + 1)
        if not groups or (len(groups) < count and _is_full(groups[-1][-1], taken, file, folders[file.folder], fair)):
            groups.append([])
            left, taken = left - taken, 0
        groups[-1].append(file)
        taken += file.size
    return groups


def _is_full(last: SizedFile, taken: int, file: SizedFile, folder: int, fair: float) -> bool:
    """Whether a group of ``taken`` bytes that ends with ``last`` is complete without ``file``, whose folder has ``folder`` bytes;
    ``fair`` is an equal share."""
    if last.folder != file.folder:
        return taken + folder / 2 >= fair  # closer to its share without the folder than with all of it
    return taken >= fair / 2 and taken + file.size > (1 + _SLACK) * fair


def release_memory() -> None:
    """Return unused memory of Arrow and the C library to the operating system.

    They keep as much as their peak: half of the memory of a worker, and of the driver.
    """
    pa.default_memory_pool().release_unused()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc only
        trim(0)


def forget_zips() -> None:
    """Forget imported zip files, which saves a worker's next task 0.3 s: PySpark begins each task with
    ``importlib.invalidate_caches()``, which reads the directory of every such zip again, such as the thousands of files in
    ``pyspark.zip``. Later imports from them still work.
    """
    for path, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, zipimporter):
            del sys.path_importer_cache[path]


def parallelism(spark: SparkSession | None) -> int:
    """Number of tasks that the session can run concurrently; 1 without a session."""
    return int(spark.sparkContext.defaultParallelism) if spark else 1


def run_tasks(spark: SparkSession | None, groups: Sequence[G], work: Callable[[G], Iterable[bytes]]) -> list[bytes]:
    """Run ``work`` on each group in a task of its own, which is sent no other group; returns all messages, in no order.

    Without a session, everything happens in this process.
    """
    if spark is None:
        return [message for group in groups for message in work(group)]
    if not groups:
        return []
    return list(spark.sparkContext.parallelize(groups, len(groups)).mapPartitions(partial(_run, work)).collect())


def _run(work: Callable[[G], Iterable[bytes]], groups: Iterable[G]) -> Iterator[bytes]:
    for group in groups:
        yield from work(group)
    end_task()


def end_task() -> None:
    """Leave a worker as the next task should find it."""
    release_memory()  # otherwise a worker that waits for its next task keeps 300 MB that it does not need
    forget_zips()
