"""What a run tells while it works: a bar for people at a terminal, one log line per micro-batch elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

log = logging.getLogger("clickstream")

PHASES = ("start", "ingest", "derive")
"""Of a run; an operator's command has its own."""
_MEANING = {
    "start": "starting Spark",
    "ingest": "reading raw files",
    "derive": "updating user and session",
    "replace": "exchanging rows",
    "replay": "trying quarantined elements again",
    "search": "looking for rows",
    "erase": "writing files without them",
    "rebuild": "rebuilding user and session",
    "quarantine": "bringing quarantine up to date",
}


class Progress(Protocol):
    """Where a run reports to; a context manager around the run."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def phase(self, name: str) -> None:
        """One of the phases that were announced begins."""

    def backlog(self, files: int, stored_bytes: int) -> None:
        """So much is unprocessed."""

    def batch(self, metrics: dict[str, Any]) -> None:
        """A micro-batch was committed; ``metrics`` is its row of ``run_metrics``."""


class LogLines:
    """One line per phase and micro-batch, for log files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def phase(self, name: str) -> None:
        log.info("%s", _MEANING[name])

    def backlog(self, files: int, stored_bytes: int) -> None:
        log.info("%s unprocessed files, %.1f MB", f"{files:,}", stored_bytes / 1e6)

    def batch(self, metrics: dict[str, Any]) -> None:
        log.info("%s", describe(metrics))


class TerminalBar:
    """A bar that moves on with each phase and shows what has been processed."""

    def __init__(self, console: Console, phases: Sequence[str] = PHASES) -> None:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[shown]}"),
            TimeElapsedColumn(),
        )
        self._phases = phases
        self._bar = Bar(*columns, console=console)
        self._task = self._bar.add_task("", total=len(phases), shown="")
        self._files = self._read = self._at = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._bar.update(self._task, completed=len(self._phases), description="done")
        self._bar.stop()

    def phase(self, name: str) -> None:
        self._at = self._phases.index(name)
        self._bar.update(self._task, completed=self._at, description=_MEANING[name])

    def backlog(self, files: int, stored_bytes: int) -> None:
        self._files = files
        self._bar.update(self._task, shown=f"{files:,} files, {stored_bytes / 1e6:,.1f} MB")

    def batch(self, metrics: dict[str, Any]) -> None:
        self._read += metrics["files"]
        part = self._read / self._files if self._files else 1.0
        shown = f"{self._read:,} of {self._files:,} files; {describe(metrics)}"
        self._bar.update(self._task, completed=self._at + part, shown=shown)


def progress_for(console: Console, phases: Sequence[str] = PHASES) -> Progress:
    return TerminalBar(console, phases) if console.is_terminal else LogLines()


def describe(metrics: dict[str, Any]) -> str:
    """One micro-batch in one line."""
    return (
        f"batch {metrics['batch_id']}: {metrics['files']:,} files, {metrics['received']:,} received, "
        f"{metrics['written']:,} written, {metrics['duplicate']:,} duplicate, {metrics['quarantined']:,} quarantined, "
        f"{metrics['pass_seconds'] + metrics['commit_seconds']:.1f} s"
    )
