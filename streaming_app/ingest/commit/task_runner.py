"""Runs the steps of a commit that grow with data: in Spark's tasks where they are large, else in this process."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from streaming_app.spark.exchange import exchange
from streaming_app.spark.session import Session
from streaming_app.spark.tasks import parallelism, run_tasks

SMALL_SECONDS = 0.5
"""CPU-seconds up to which a step is run in this process: for less, a job of Spark is not worth its start."""
TASK_SECONDS = 10.0
"""CPU-seconds that one task should take."""

U = TypeVar("U")


@dataclass(frozen=True)
class TaskRunner:
    """Without a session, everything runs in this process."""

    spark: Session | None = None

    def run(
        self, units: Sequence[U], seconds: Callable[[U], float], work: Callable[[list[U]], Iterable[bytes]]
    ) -> Iterable[bytes]:
        """Run ``work`` on all units, in groups; returns what it yields, in no order.

        ``seconds`` estimates the CPU-seconds of a unit.
        """
        weights = [seconds(unit) for unit in units]
        if self.spark is None or sum(weights) <= SMALL_SECONDS:
            return work(list(units))
        return run_tasks(self.spark, group_by_weight(units, weights, parallelism(self.spark)), work)

    def exchange(
        self,
        units: Sequence[U],
        seconds: Callable[[U], float],
        read: Callable[[int, list[U]], Iterable[tuple[int, bytes]]],
        combine: Callable[[int, list[bytes]], bytes],
    ) -> list[bytes]:
        """Run ``read`` on all units, in groups, and ``combine`` on all its messages of a part; returns what this returns.

        ``read`` gets a number of parts, and yields messages by the number of a part; ``combine`` gets this number.
        """
        weights = [seconds(unit) for unit in units]
        if self.spark is None or sum(weights) <= SMALL_SECONDS:
            return exchange(None, [list(units)], partial(read, 1), [0], combine)
        groups = group_by_weight(units, weights, parallelism(self.spark))
        return exchange(self.spark, groups, partial(read, len(groups)), range(len(groups)), combine)


def group_by_weight(units: Sequence[U], weights: Sequence[float], cores: int) -> list[list[U]]:
    """Group units to about equal weight: the heaviest first, each to the lightest group."""
    count = min(len(units), max(cores, math.ceil(sum(weights) / TASK_SECONDS)))
    groups: list[list[U]] = [[] for _ in range(count)]
    lightest = [(0.0, number) for number in range(count)]
    for weight, index in sorted(((weight, index) for index, weight in enumerate(weights)), reverse=True):
        taken, number = heapq.heappop(lightest)
        groups[number].append(units[index])
        heapq.heappush(lightest, (taken + weight, number))
    return groups
