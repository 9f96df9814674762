"""Progress of a run or a command: a bar for people at a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from streaming_app.model.run_metrics import BatchMetrics

log = logging.getLogger("clickstream")

PHASES = ("start", "ingest", "derive")
"""Of a run; an operator's command has its own."""
_MEANING = {
    "start": "starting Spark",
    "ingest": "reading raw files",
    "derive": "updating user and session",
    "replace": "replacing rows",
    "replay": "processing quarantined elements again",
    "search": "searching rows",
    "erase": "writing files without them",
    "rebuild": "rebuilding user and session",
    "quarantine": "updating quarantine",
}


class Progress(Protocol):
    """Where a run or a command reports to; a context manager around its work.

    Runs and commands that use Spark go through phases. Commands that work through a list of steps of known size
    (``optimize``, ``vacuum``, ``tables check``) report these.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def phase(self, name: str) -> None:
        """One of the announced phases begins."""

    def backlog(self, files: int, stored_bytes: int) -> None:
        """So much is unprocessed."""

    def batch(self, metrics: BatchMetrics) -> None:
        """A micro-batch was committed."""

    def expect(self, amount: float) -> None:
        """Steps of this size in all are about to begin, in addition to earlier ones; any unit, such as bytes, throughout."""

    def step(self, description: str) -> None:
        """A step begins."""

    def advance(self, amount: float) -> None:
        """The step has ended; ``amount`` was its size."""


class NoProgress:
    """Reports nothing, where the results themselves are printed as they come."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def phase(self, name: str) -> None:
        del name

    def backlog(self, files: int, stored_bytes: int) -> None:
        del files, stored_bytes

    def batch(self, metrics: BatchMetrics) -> None:
        del metrics

    def expect(self, amount: float) -> None:
        del amount

    def step(self, description: str) -> None:
        del description

    def advance(self, amount: float) -> None:
        del amount


class LogProgress(NoProgress):
    """One log line per phase, micro-batch and step."""

    def phase(self, name: str) -> None:
        log.info("%s", _MEANING[name])

    def backlog(self, files: int, stored_bytes: int) -> None:
        log.info("%s unprocessed files, %.1f MB", f"{files:,}", stored_bytes / 1e6)

    def batch(self, metrics: BatchMetrics) -> None:
        log.info("%s", metrics.describe())

    def step(self, description: str) -> None:
        log.info("%s", description)


class BarProgress:
    """A bar that moves on with each phase or step and shows what has been processed."""

    def __init__(self, console: Console, phases: Sequence[str]) -> None:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[shown]}", markup=False),
            TimeElapsedColumn(),
        )
        self._phases = phases
        self._bar = Bar(*columns, console=console)
        self._total = float(len(phases))
        self._task = self._bar.add_task("", total=self._total, shown="")
        self._files = self._read = self._at = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._bar.update(self._task, completed=self._total, description="done")
        self._bar.stop()

    def phase(self, name: str) -> None:
        self._at = self._phases.index(name)
        self._bar.update(self._task, completed=self._at, description=_MEANING[name])

    def backlog(self, files: int, stored_bytes: int) -> None:
        self._files = files
        self._bar.update(self._task, shown=f"{files:,} files, {stored_bytes / 1e6:,.1f} MB")

    def batch(self, metrics: BatchMetrics) -> None:
        self._read += metrics.files
        part = self._read / self._files if self._files else 1.0
        shown = f"{self._read:,} of {self._files:,} files; {metrics.describe()}"
        self._bar.update(self._task, completed=self._at + part, shown=shown)

    def expect(self, amount: float) -> None:
        self._total += amount
        self._bar.update(self._task, total=self._total)

    def step(self, description: str) -> None:
        self._bar.update(self._task, description=description)

    def advance(self, amount: float) -> None:
        self._bar.update(self._task, advance=amount)


def progress_for(console: Console, phases: Sequence[str] = PHASES, *, log_steps: bool = True) -> Progress:
    """A bar at a terminal; elsewhere log lines, or nothing without ``log_steps``."""
    if console.is_terminal:
        return BarProgress(console, phases)
    return LogProgress() if log_steps else NoProgress()
