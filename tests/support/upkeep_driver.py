"""Optimizes or vacuums, and kills its own process (SIGKILL) at a moment: ``python -m tests.support.upkeep_driver CONFIG MOMENT``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streaming_app.commands import operation, optimize, vacuum
from streaming_app.config.model import Config
from streaming_app.metrics.progress import LogProgress
from streaming_app.model.tables import TABLES
from streaming_app.plugins.load_config import load_config

MOMENTS = (
    "optimize: a file is written",
    "optimize: two partitions are committed",
    "optimize: all are committed",
    "vacuum: a file is deleted",
    "vacuum: two tables are done",
    "vacuum: all are done",
)
RETENTION_HOURS = 0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(count: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """A function that kills the process at its call number ``count`` (from 0), before it does anything."""
    calls = iter(range(count))

    def call(*given: Any) -> Any:
        if next(calls, None) is None:
            die()
        return real(*given)

    return call


def when(lake: Path, happened: Callable[[set[Path], set[Path]], bool]) -> None:
    """Die as soon as the files of a lake, compared with those at the beginning, are as ``happened`` says."""
    first = _files(lake)

    def watch() -> None:
        while not happened(first, _files(lake)):
            time.sleep(0.0005)
        die()

    threading.Thread(target=watch, daemon=True).start()


def _files(lake: Path) -> set[Path]:
    return {path for table in ("event", "quarantine") for path in (lake / table).rglob("*.parquet")}


def at_the_end(real: Callable[..., Any]) -> Callable[..., Any]:
    """The writer of audit rows, which dies where it should say that all is done."""

    def note(this: Any, status: str, *rest: Any) -> Any:
        return die() if status == "done" else real(this, status, *rest)

    return note


def arm(moment: str, lake: Path) -> None:
    what = moment.partition(": ")[2]
    if what == "a file is written":
        when(lake, lambda first, now: bool(now - first))
    elif what == "a file is deleted":
        when(lake, lambda first, now: bool(first - now))
    elif what.startswith("all"):
        operation._write_audit_row = at_the_end(operation._write_audit_row)
    else:
        optimize.compact = after(2, optimize.compact)
        vacuum.delete_expired = after(2, vacuum.delete_expired)


def run(config: Config, moment: str) -> None:
    if moment.startswith("optimize"):
        optimize.run(config, TABLES.values(), LogProgress())
    else:
        vacuum.run(config, RETENTION_HOURS, LogProgress())


if __name__ == "__main__":
    config = load_config(sys.argv[1])
    arm(sys.argv[2], Path(config.sink.uri))
    run(config, sys.argv[2])
