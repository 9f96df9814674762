"""CPU-seconds and peak memory of a command and all its descendants.

Each process is sampled while it lives, because PySpark's worker daemon ignores SIGCHLD: the kernel then never adds the
CPU time of Python workers to their parents', so that ``time``, ``wait4`` and the like miss most of this job.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from typing import Any

import psutil

INTERVAL_SECONDS = 0.1
KINDS = ("driver", "jvm", "executor", "worker")
"""An executor is the JVM of one on a cluster; on one machine there is none, and the driver's JVM does its work."""


@dataclass
class Usage:
    """Usage of a whole process tree: seconds of wall and CPU time, bytes of resident memory at the peak."""

    wall: float = 0.0
    peak_bytes: int = 0
    exit_code: int = 0
    shares_at_peak: dict[str, int] = field(default_factory=dict)
    cpu_by_process: dict[tuple[int, float], tuple[str, float]] = field(default_factory=dict)

    @property
    def cpu(self) -> float:
        return sum(seconds for _, seconds in self.cpu_by_process.values())

    def cpu_of(self, kind: str) -> float:
        """CPU-seconds of one kind of process: one of :data:`KINDS`."""
        return sum(seconds for each, seconds in self.cpu_by_process.values() if each == kind)


def measure(command: list[str], **popen: Any) -> Usage:
    """Run a command to its end and add up what its processes used."""
    began, usage = time.monotonic(), Usage()
    process = psutil.Popen(command, **popen)
    while process.poll() is None:
        _sample(process, usage)
        time.sleep(INTERVAL_SECONDS)
    usage.wall, usage.exit_code = time.monotonic() - began, process.returncode
    return usage


def _sample(root: psutil.Popen, usage: Usage) -> None:
    resident, shares = 0, dict.fromkeys(KINDS, 0)
    for process in [root, *_descendants(root)]:
        try:
            times, memory = process.cpu_times(), process.memory_info().rss
            key = (process.pid, process.create_time())
            kind = _kind(process)  # asked each time: a shell becomes a JVM by exec
            usage.cpu_by_process[key] = (kind, times.user + times.system)
            resident += memory
            shares[kind] += memory
        except psutil.Error:
            continue
    if resident > usage.peak_bytes:
        usage.peak_bytes, usage.shares_at_peak = resident, shares


def _descendants(root: psutil.Popen) -> list[psutil.Process]:
    try:
        return root.children(recursive=True)
    except psutil.Error:
        return []


def _kind(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    if "pyspark.daemon" in command:
        return "worker"
    if "java" not in process.name():
        return "driver"
    return "executor" if "CoarseGrainedExecutorBackend" in command else "jvm"


if __name__ == "__main__":
    import sys

    used = measure(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    shares = {kind: round(used.cpu_of(kind), 1) for kind in KINDS}
    memory = {kind: round(size / 1e9, 2) for kind, size in used.shares_at_peak.items()}
    print(
        f"wall {used.wall:.1f}s cpu {used.cpu:.1f}s {shares} peak {used.peak_bytes / 1e9:.2f} GB {memory} exit {used.exit_code}"
    )
