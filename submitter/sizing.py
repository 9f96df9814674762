"""Sizing a run: workers, duration and cost by a model whose constants are all in the configuration.

1. INGEST works in micro-batches of tasks: decoded MB / throughput. At the end of each, processors wait for its last tasks, and
   then for the driver.
2. DERIVE does the same, and writes the stored users again that have new events: nearly all of them in each micro-batch, since
   chance divides them into files. Its micro-batches are therefore at least as large as the table.
3. Workers are billed from their start, a minute at least, whether they work or wait.

``benchmarks.simulate`` plays the same run task by task and compares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from streaming_app.config.emr import EmrSection, WorkerSection

_MB = 1_000_000
_MIN_BILLED_SECONDS = 60
_FREE_DISK_GB = 20
_ENDLESS_BYTES = 10**18
TASK_MB = 32
"""Stored MB of raw files that one task reads, where a micro-batch has enough: as :mod:`streaming_app.spark.tasks` has it."""
_LAST_TASKS = 0.75
"""Of a task's duration, how long processors wait at the end of a micro-batch for its last tasks, on average. From the simulation,
for tasks whose durations vary by a fifth."""
EVENT_BYTES = 1_100
"""Decoded bytes of an event."""
EVENT_MB_PER_DECODED_MB = 1 / 13
"""Stored MB of table ``event`` for each decoded MB."""
EVENTS_PER_USER = 20
"""Events of a user in a day; half as many in a part of it would change little."""
USERS_PER_FILE = 500_000
"""Rows of a full file of ``user``, 64 MB."""
DERIVE_MB_PER_VCPU = 32
"""Stored MB of events in a micro-batch of derive for each processor; the job's own constant."""
_USER_BYTES = 130
"""Stored bytes of a row of ``user``, with what is written of its sessions."""


@dataclass(frozen=True)
class Estimate:
    """What a run takes on so many executors, in seconds and US dollars.

    ``busy`` are vCPU-seconds of executors at work, ``alone`` are seconds in which the driver works and they wait.
    """

    executors: int
    vcpu: int
    seconds: float
    busy: float
    alone: float
    dollars: float

    @property
    def idle(self) -> float:
        """Share of the executors' bill for which they wait: their start, the driver, the last tasks of micro-batches."""
        return 1 - self.busy / (self.seconds * self.vcpu)


@dataclass(frozen=True)
class Plan:
    """The size of a run: ``executors`` besides the driver; ``minutes`` and ``dollars`` are expected values."""

    executors: int
    vcpu: int
    minutes: float
    dollars: float
    batch_bytes: int


def plan_for(emr: EmrSection, stored_bytes: int, ratio: float, users: int = 0) -> Plan:
    """Plan the fewest executors that finish in the target time, within the bounds of the configuration; ``users`` are stored.

    Where the target cannot be met, an executor is added as long as it saves the others at least half of the time that it takes.
    """
    sizing, each = emr.sizing, emr.executor.vcpu
    least = max(1, min(math.ceil(sizing.min_vcpu / each), sizing.max_vcpu // each))
    found = estimate(emr, stored_bytes, ratio, users, least)
    for executors in range(least + 1, sizing.max_vcpu // each + 1):
        if found.seconds <= sizing.target_minutes * 60:
            break
        more = estimate(emr, stored_bytes, ratio, users, executors)
        saved = (found.seconds - more.seconds) * found.vcpu
        if saved < more.seconds * each / 2:
            break
        found = more
    return Plan(found.executors, found.vcpu, found.seconds / 60, found.dollars, int(sizing.batch_mb_per_vcpu * found.vcpu * _MB))


def estimate(emr: EmrSection, stored_bytes: int, ratio: float, users: int, executors: int) -> Estimate:
    """What a run takes with so many executors. ``users`` are the rows of ``user`` before it."""
    sizing = emr.sizing
    vcpu = executors * emr.executor.vcpu
    stored_mb = stored_bytes / _MB
    decoded_mb = stored_mb * ratio
    # 1. Ingest: equal tasks, in micro-batches.
    batch_mb = sizing.batch_mb_per_vcpu * vcpu
    batches = math.ceil(stored_mb / batch_mb)
    ingest = decoded_mb / sizing.decoded_mb_per_vcpu_second
    waves = max(1.0, min(stored_mb, batch_mb) / vcpu / TASK_MB)
    # 2. Derive: the aggregates of events are part of the throughput above; users are written once for each micro-batch.
    event_mb = decoded_mb * EVENT_MB_PER_DECODED_MB
    derive_batches = math.ceil(event_mb / derive_batch_mb(users, vcpu))
    touched = decoded_mb * _MB / EVENT_BYTES / EVENTS_PER_USER / max(1, derive_batches)
    derive = derive_batches * users_written(users, touched) / sizing.users_per_vcpu_second
    # 3. What processors wait for: the last tasks of micro-batches, and the driver.
    waiting = _LAST_TASKS * (ingest / waves + derive / max(1.0, users / USERS_PER_FILE / vcpu)) / vcpu
    alone = decoded_mb / 1000 * sizing.driver_seconds_per_decoded_gb
    alone += (batches + derive_batches) * sizing.driver_seconds_per_batch
    busy = sizing.fixed_vcpu_seconds + ingest + derive
    seconds = sizing.start_seconds + alone + busy / vcpu + waiting
    of_full_price = 1 - emr.flex.discount if emr.flex.enabled else 1.0
    of_executors = executors * worker_dollars(emr, emr.executor, seconds) * of_full_price
    dollars = worker_dollars(emr, emr.driver, seconds) + of_executors
    return Estimate(executors, vcpu, seconds, busy, alone, dollars)


def derive_batch_mb(users: int, vcpu: int) -> float:
    """Stored MB of events in a micro-batch of derive: as much as there is of the users, which it writes again."""
    return max(DERIVE_MB_PER_VCPU * vcpu, users * _USER_BYTES / _MB)


def users_written(users: int, touched: float) -> float:
    """The stored users that are written again where so many have new events: all in the files that have one of these."""
    files = max(1.0, users / USERS_PER_FILE)
    return users * -math.expm1(-touched / files)


def enough_bytes(emr: EmrSection, ratio: float, users: int = 0) -> int:
    """Stored bytes from which on a run gets the maximum of workers: counting further would not change its size."""
    most = plan_for(emr, _ENDLESS_BYTES, ratio, users).executors
    enough = _MB
    while plan_for(emr, enough, ratio, users).executors < most:
        enough *= 2
    return enough


def worker_dollars(emr: EmrSection, worker: WorkerSection, seconds: float) -> float:
    """What a worker costs for so long, US dollars."""
    hours = max(seconds, _MIN_BILLED_SECONDS) / 3600
    price = emr.price
    per_hour = worker.vcpu * price.vcpu_hour + worker.memory_gb * price.gb_hour
    return hours * (per_hour + max(0, worker.disk_gb - _FREE_DISK_GB) * price.disk_gb_hour)
