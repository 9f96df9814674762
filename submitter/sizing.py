"""How many workers a run gets, and what it will take and cost: a model of five constants, all in the configuration.

work = fixed + decoded MB / (MB per vCPU-second); minutes = start + work / vCPUs. Workers are billed from their start, a
minute at least.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from streaming_app.config.emr import Emr, Worker

_MB = 1_000_000
_LEAST_BILLED_SECONDS = 60
_FREE_DISK_GB = 20


@dataclass(frozen=True)
class Plan:
    """``executors`` workers besides the driver; ``minutes`` and ``dollars`` are what to expect."""

    executors: int
    vcpu: int
    minutes: float
    dollars: float
    batch_bytes: int


def plan_for(emr: Emr, stored_bytes: int, ratio: float) -> Plan:
    """The fewest executors that are done in the target time, within the bounds of the configuration."""
    sizing, each = emr.sizing, emr.executor.vcpu
    work = _work(emr, stored_bytes, ratio)
    seconds = sizing.target_minutes * 60 - sizing.start_seconds
    wanted = work / seconds if seconds > 0 else math.inf
    executors = math.ceil(min(max(wanted, sizing.min_vcpu), sizing.max_vcpu) / each)
    if executors * each > sizing.max_vcpu:
        executors = max(1, sizing.max_vcpu // each)
    vcpu = executors * each
    busy = sizing.start_seconds + work / vcpu
    return Plan(
        executors=executors,
        vcpu=vcpu,
        minutes=busy / 60,
        dollars=_dollars(emr, emr.driver, busy) + executors * _dollars(emr, emr.executor, busy),
        batch_bytes=int(sizing.batch_mb_per_vcpu * vcpu * _MB),
    )


def enough_bytes(emr: Emr, ratio: float) -> float:
    """Stored bytes from which on a run gets the most workers: counting further would not change its size."""
    sizing = emr.sizing
    seconds = max(0.0, sizing.target_minutes * 60 - sizing.start_seconds)
    decoded = max(0.0, seconds * sizing.max_vcpu - sizing.fixed_vcpu_seconds) * sizing.decoded_mb_per_vcpu_second * _MB
    return decoded / ratio


def _work(emr: Emr, stored_bytes: int, ratio: float) -> float:
    """vCPU-seconds."""
    return emr.sizing.fixed_vcpu_seconds + stored_bytes * ratio / _MB / emr.sizing.decoded_mb_per_vcpu_second


def _dollars(emr: Emr, worker: Worker, seconds: float) -> float:
    hours = max(seconds, _LEAST_BILLED_SECONDS) / 3600
    price = emr.price
    per_hour = worker.vcpu * price.vcpu_hour + worker.memory_gb * price.gb_hour
    return hours * (per_hour + max(0, worker.disk_gb - _FREE_DISK_GB) * price.disk_gb_hour)
