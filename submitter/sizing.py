"""Sizing a run: workers, duration and cost by a model of six constants, all in the configuration.

work = fixed + decoded MB / (MB per vCPU-second); seconds = start + driver's part + work / vCPUs. Workers are billed from their
start, a minute at least.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from streaming_app.config.emr import EmrSection, WorkerSection

_MB = 1_000_000
_MIN_BILLED_SECONDS = 60
_FREE_DISK_GB = 20
_ENDLESS_BYTES = 10**18


@dataclass(frozen=True)
class Plan:
    """The size of a run: ``executors`` besides the driver; ``minutes`` and ``dollars`` are expected values."""

    executors: int
    vcpu: int
    minutes: float
    dollars: float
    batch_bytes: int


def plan_for(emr: EmrSection, stored_bytes: int, ratio: float) -> Plan:
    """Plan the fewest executors that finish in the target time, within the bounds of the configuration."""
    sizing, each = emr.sizing, emr.executor.vcpu
    decoded_mb = stored_bytes * ratio / _MB
    work = sizing.fixed_vcpu_seconds + decoded_mb / sizing.decoded_mb_per_vcpu_second
    alone = decoded_mb / 1000 * sizing.driver_seconds_per_decoded_gb
    fixed = sizing.start_seconds + alone
    # Where the target cannot be met, executors that halve the rest once more would mostly wait.
    left = max(sizing.target_minutes * 60 - fixed, fixed / 2)
    executors = math.ceil(min(max(work / left, sizing.min_vcpu), sizing.max_vcpu) / each)
    if executors * each > sizing.max_vcpu:
        executors = max(1, sizing.max_vcpu // each)
    vcpu = executors * each
    seconds = fixed + work / vcpu
    return Plan(
        executors=executors,
        vcpu=vcpu,
        minutes=seconds / 60,
        dollars=_dollars(emr, emr.driver, seconds) + executors * _dollars(emr, emr.executor, seconds),
        batch_bytes=int(sizing.batch_mb_per_vcpu * vcpu * _MB),
    )


def enough_bytes(emr: EmrSection, ratio: float) -> int:
    """Stored bytes from which on a run gets the maximum of workers: counting further would not change its size."""
    most = plan_for(emr, _ENDLESS_BYTES, ratio).executors
    enough = _MB
    while plan_for(emr, enough, ratio).executors < most:
        enough *= 2
    return enough


def _dollars(emr: EmrSection, worker: WorkerSection, seconds: float) -> float:
    hours = max(seconds, _MIN_BILLED_SECONDS) / 3600
    price = emr.price
    per_hour = worker.vcpu * price.vcpu_hour + worker.memory_gb * price.gb_hour
    return hours * (per_hour + max(0, worker.disk_gb - _FREE_DISK_GB) * price.disk_gb_hour)
