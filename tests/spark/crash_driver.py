"""Runs a pipeline and kills its own process (SIGKILL) at a named moment: ``python -m tests.spark.crash_driver CONFIG MOMENT``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streaming_app import pipeline
from streaming_app.config.load import load_config
from streaming_app.ingest import commit as ingest_commit
from streaming_app.ingest import stream as ingest_stream
from streaming_app.progress import LogLines
from streaming_app.tables import upsert

MOMENTS = (
    "in the pass",
    "files written",
    "quarantine committed",
    "item committed",
    "change committed",
    "run_metrics committed",
    "event committed",
    "states made",
    "user files written",
    "user committed",
    "item_attributes files written",
    "item_attributes committed",
    "session files written",
    "session committed",
)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(real: Callable[..., Any], table: str, *, after: bool) -> Callable[..., Any]:
    """``commit`` that kills the process before or after the commit of one table."""

    def commit(target: Any, contract: Any, *rest: Any) -> Any:
        if contract.name == table and not after:
            die()
        done = real(target, contract, *rest)
        if contract.name == table:
            die()
        return done

    return commit


def arm(moment: str, lake: Path) -> None:
    """Make the process die at a moment."""
    table, _, what = moment.partition(" ")
    if moment == "in the pass":
        threading.Thread(target=_die_when_a_file_appears, args=(lake,), daemon=True).start()
    elif moment == "files written":
        ingest_stream.commit_batch = lambda *_: die()
    elif moment == "states made":
        from streaming_app.derive import stream

        stream.upsert_users = lambda *_: die()
    elif table in ("user", "session", "item_attributes"):
        upsert.commit = dying(upsert.commit, table, after=what == "committed")
    else:
        ingest_commit.commit = dying(ingest_commit.commit, table, after=True)


def _die_when_a_file_appears(lake: Path) -> None:
    while not any((lake / "event").rglob("*.parquet")):
        time.sleep(0.005)
    die()


if __name__ == "__main__":
    config = load_config(sys.argv[1])
    arm(sys.argv[2], Path(config.sink.uri))
    pipeline.run(config, LogLines(), "crashing-job")
