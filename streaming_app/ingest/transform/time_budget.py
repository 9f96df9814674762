"""Time limits for calls of plugins: a call that takes too long is interrupted.

This uses an alarm of the operating system (SIGALRM), the only means to interrupt a call that hangs. Python handles it in the main
thread only, which is where Spark's workers run their tasks.
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
    """A call took longer than its time limit and was interrupted."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooSlowError inside the block after so many seconds, and again every second in case the block catches it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise TooSlowError(f"took longer than {seconds:.3g} seconds")

    before, others = signal.signal(signal.SIGALRM, interrupt), signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *others)
        signal.signal(signal.SIGALRM, before)


@dataclass
class TimeBudget:
    """The time limit for calls on parts of a table: each call gets a share of ``seconds`` in proportion to its rows.

    The budget is exhausted when interrupted calls have taken three times ``seconds`` in total.
    """

    seconds: float
    rows: int
    spent_seconds: float = 0.0

    @property
    def is_exhausted(self) -> bool:
        """Whether interrupted calls have used up the budget; the plugin is not called again then."""
        return self.spent_seconds > 3 * self.seconds

    @contextmanager
    def limit_call(self, rows: int) -> Iterator[None]:
        """Limit one call on some rows of the table."""
        began = time.monotonic()
        try:
            with time_limit(max(self.seconds * rows / self.rows, _LEAST_SECONDS)):
                yield
        except TooSlowError:
            self.spent_seconds += time.monotonic() - began
            raise


_LEAST_SECONDS = 0.05
"""Smallest time limit of a call, seconds: on a busy machine even a trivial call may take that long."""
