"""Runs of any size, played task by task: days of 1 M to 1 B events, 1 M to 1 B users, on 1 to 64 executors.

    python -m benchmarks.simulate [--days N …] [--users N …] [--executors N …]

Each task gets a processor when one is free; the driver works alone between micro-batches. Durations of tasks vary by a fifth, as
files and hours do, and one file may be as large as a share of the day. The constants are those of the configuration, which were
measured (docs/explanation/performance.md); the submitter's own formula, ``submitter/sizing.py``, is beside it.
"""

from __future__ import annotations

import argparse
import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from streaming_app.config.emr import EmrSection
from submitter import sizing
from submitter.ratio import DEFAULT
from submitter.sizing import Estimate, derive_batch_mb, estimate, users_written

DAYS = (1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
USERS = (1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
EXECUTORS = (1, 2, 4, 8, 16, 32, 64)
SPREAD = 0.2
"""Standard deviation of the logarithm of a task's duration."""
_MB = 1_000_000


@dataclass(frozen=True)
class Day:
    """Events of a day, which one run reads; users that are stored before; MB of its largest raw file."""

    events: int
    users: int
    largest_file_mb: float = 0.0

    @property
    def stored_bytes(self) -> int:
        return int(self.events * sizing.EVENT_BYTES / DEFAULT)


@dataclass(frozen=True)
class Played:
    """What a run took, and what it waited for longest: ``limit`` is start, driver, last tasks, or work where it waits little."""

    estimate: Estimate
    limit: str


def play(emr: EmrSection, day: Day, executors: int, seed: int = 1) -> Played:
    """Play one run."""
    rng, constants, vcpu = np.random.default_rng(seed), emr.sizing, executors * emr.executor.vcpu
    stored_mb = day.stored_bytes / _MB
    decoded_mb = stored_mb * DEFAULT
    # 1. Ingest: tasks of each micro-batch, the largest file alone in one of the first.
    batch_mb = constants.batch_mb_per_vcpu * vcpu
    batches = math.ceil(stored_mb / batch_mb)
    stages = []
    for number in range(batches):
        mb = min(batch_mb, stored_mb - number * batch_mb)
        tasks = max(vcpu, math.ceil(mb / sizing.TASK_MB))
        durations = _vary(mb * DEFAULT / constants.decoded_mb_per_vcpu_second, tasks, rng)
        if number == 0 and day.largest_file_mb > mb / tasks:
            durations[-1] = day.largest_file_mb * DEFAULT / constants.decoded_mb_per_vcpu_second
        stages.append(durations)
    # 2. Derive: a task for each part of the users.
    event_mb = decoded_mb * sizing.EVENT_MB_PER_DECODED_MB
    derive_batches = math.ceil(event_mb / derive_batch_mb(day.users, vcpu))
    for _ in range(derive_batches):
        touched = day.events / sizing.EVENTS_PER_USER / derive_batches
        work = users_written(day.users, touched) / constants.users_per_vcpu_second
        stages.append(_vary(work, max(vcpu, math.ceil(day.users / sizing.USERS_PER_FILE)), rng))
    # 3. What happens one after the other.
    busy = constants.fixed_vcpu_seconds + sum(float(each.sum()) for each in stages)
    working = constants.fixed_vcpu_seconds / vcpu + sum(makespan(each, vcpu) for each in stages)
    alone = decoded_mb / 1000 * constants.driver_seconds_per_decoded_gb + len(stages) * constants.driver_seconds_per_batch
    seconds = constants.start_seconds + alone + working
    dollars = sizing.worker_dollars(emr, emr.driver, seconds) + executors * sizing.worker_dollars(emr, emr.executor, seconds)
    result = Estimate(executors, vcpu, seconds, busy, alone, dollars)
    return Played(result, _limit(result, constants.start_seconds, working - busy / vcpu))


def _vary(work: float, tasks: int, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    shares = rng.lognormal(0, SPREAD, tasks)
    return np.asarray(shares * (work / shares.sum()))


def makespan(durations: Iterable[float], processors: int) -> float:
    """Seconds until all tasks are done, each given to the processor that is free first.

    >>> makespan([3.0, 1.0, 1.0, 1.0], 2)
    3.0
    """
    free = [0.0] * processors
    for duration in durations:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def _limit(run: Estimate, start: float, last_tasks: float) -> str:
    waits = {"start": start, "driver": run.alone, "last tasks": last_tasks}
    longest = max(waits, key=waits.__getitem__)
    return longest if waits[longest] > run.seconds / 10 else "work"


HEAD = ("events", "stored users", "executors", "minutes", "formula", "$", "$ a GB", "idle", "efficiency", "limit")


def rows(emr: EmrSection, days: Iterable[int], users: Iterable[int], executors: Iterable[int]) -> Iterator[tuple[str, ...]]:
    """A row for each run; efficiency is the speed against one executor, for each executor."""
    for events in days:
        for stored in users:
            day = Day(events, stored)
            alone = play(emr, day, 1).estimate
            for number in executors:
                played = play(emr, day, number)
                run = played.estimate
                formula = estimate(emr, day.stored_bytes, DEFAULT, stored, number)
                yield (
                    f"{events:,}",
                    f"{stored:,}",
                    str(number),
                    f"{run.seconds / 60:.1f}",
                    f"{formula.seconds / 60:.1f}",
                    f"{run.dollars:.3f}",
                    f"{run.dollars / (events * sizing.EVENT_BYTES / 1e9):.4f}",
                    f"{run.idle:.0%}",
                    f"{alone.seconds / run.seconds / number:.2f}",
                    played.limit,
                )


DOCUMENTED = (10_000_000, 100_000_000, 1_000_000_000), (1_000_000, 100_000_000), (1, 2, 8, 32)
"""Days, users and executors of the table in docs/explanation/performance.md; a test compares the two."""


def markdown(emr: EmrSection) -> str:
    """The table of the documentation."""
    lines = (HEAD, ("---",) * len(HEAD), *rows(emr, *DOCUMENTED))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, values in {"days": DAYS, "users": USERS, "executors": EXECUTORS}.items():
        parser.add_argument(f"--{name}", nargs="*", type=int, default=values)
    given = parser.parse_args()
    grid = Table(*HEAD)
    for row in rows(EmrSection(), given.days, given.users, given.executors):
        grid.add_row(*row)
    Console(width=140).print(grid)


if __name__ == "__main__":
    main()
