"""How far a command is that goes from step to step: a bar for people at a terminal, one log line a step elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

log = logging.getLogger("clickstream")


class Steps(Protocol):
    """Where a command reports to. Amounts are of any unit, such as bytes, the same one throughout."""

    def expect(self, amount: float) -> None:
        """So much more is to be done."""

    def begin(self, what: str) -> None:
        """A step begins."""

    def done(self, amount: float) -> None:
        """It has ended, and was so much."""


class LogSteps:
    """One line a step."""

    def expect(self, amount: float) -> None:
        del amount

    def begin(self, what: str) -> None:
        log.info("%s", what)

    def done(self, amount: float) -> None:
        del amount


class NoSteps(LogSteps):
    """Nothing, where what is found is told at once."""

    def begin(self, what: str) -> None:
        del what


class BarSteps:
    """A bar that says what is at work."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=0)
        self._expected = 0.0

    def expect(self, amount: float) -> None:
        self._expected += amount
        self._bar.update(self._task, total=self._expected)

    def begin(self, what: str) -> None:
        self._bar.update(self._task, description=what)

    def done(self, amount: float) -> None:
        self._bar.update(self._task, advance=amount)


@contextmanager
def steps_on(console: Console, *, lines: bool = True) -> Iterator[Steps]:
    """Steps shown on a console; ``lines`` where it is no terminal."""
    if not console.is_terminal:
        yield LogSteps() if lines else NoSteps()
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        yield BarSteps(bar)
