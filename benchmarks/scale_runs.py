"""Whole runs for :mod:`benchmarks.scale`: what each kind of process of a run uses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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


def driver_of_a_run(events: int, users: int) -> float:
    """CPU-seconds of the driver's Python in a run over new events, on tables that have so many other users."""
    raw, _ = raw_files(events)
    lake = FOLDER / "driver-lake"
    shutil.rmtree(lake, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "benchmarks.scale_upsert", str(users), "1"], check=True, capture_output=True)
    shutil.copytree(FOLDER / f"users-{users}" / "lake", lake, copy_function=os.link)  # data files are never changed in place
    used, _ = run(write_config(raw, lake))
    return used.cpu_of("driver")


def _of(used: Usage, kind: str) -> list[float]:
    return [seconds for each, seconds in used.cpu_by_process.values() if each == kind]
