"""Whole runs for :mod:`benchmarks.scale`: what each kind of process of a run uses."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

from benchmarks.process_tree import Usage
from benchmarks.run import FOLDER, raw_files, run, write_config


@dataclass(frozen=True)
class ExecutorUsage:
    """CPU-seconds of the JVM of each executor, and of the driver's."""

    executors: list[float]
    jvm: float


def executors_of_a_run(events: int) -> ExecutorUsage:
    """A run on a cluster of two executors, each a JVM of its own, into empty tables."""
    raw, _ = raw_files(events)
    lake = FOLDER / "cluster-lake"
    shutil.rmtree(lake, ignore_errors=True)
    config = write_config(raw, lake)
    config.write_text(f"{config.read_text()}spark: {{master: 'local-cluster[2,1,1024]'}}\n")
    used, summary = run(config)
    if not summary["counts"]["written"]:
        raise subprocess.CalledProcessError(used.exit_code, ["clickstream", "run"])
    return ExecutorUsage(_of(used, "executor"), sum(_of(used, "jvm")))


def _of(used: Usage, kind: str) -> list[float]:
    return [seconds for each, seconds in used.cpu_by_process.values() if each == kind]
