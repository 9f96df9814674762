"""Giving up on a call of somebody else's code that takes too long.

By an alarm of the operating system, which reaches Python in the main thread only: there Spark's workers run their tasks.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class TooSlowError(Exception):
    """A call was given up."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooSlowError inside the block once it has taken that long, and every second after, lest it be caught there."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise TooSlowError(f"took longer than {seconds:.3g} seconds")

    before, others = signal.signal(signal.SIGALRM, give_up), signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *others)
        signal.signal(signal.SIGALRM, before)


@dataclass
class TimeBudget:
    """With calls on parts of a table: each may take its rows' share of ``seconds``, all that are given up three times that."""

    seconds: float
    rows: int
    spent_seconds: float = 0.0

    @property
    def is_exhausted(self) -> bool:
        return self.spent_seconds > 3 * self.seconds

    @contextmanager
    def limit_call(self, rows: int) -> Iterator[None]:
        """One call on some rows."""
        began = time.monotonic()
        try:
            with time_limit(max(self.seconds * rows / self.rows, _LEAST_SECONDS)):
                yield
        except TooSlowError:
            self.spent_seconds += time.monotonic() - began
            raise


_LEAST_SECONDS = 0.05
"""What a call takes on a busy machine though it does next to nothing."""
