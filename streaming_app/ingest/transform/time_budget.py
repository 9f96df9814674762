"""Time limits for calls of plugins: a call that takes too long is interrupted.

By an alarm of the operating system (SIGALRM), the only one that interrupts a call which hangs. It reaches Python in the main
thread only: there Spark's workers run their tasks.
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
    """Raise TooSlowError inside the block once it has taken that long, and every second after, in case it is caught there."""
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
    """The time for calls on parts of a table: each may take its rows' share of ``seconds``.

    Interrupted calls may take three times ``seconds`` in all; then the budget is exhausted.
    """

    seconds: float
    rows: int
    spent_seconds: float = 0.0

    @property
    def is_exhausted(self) -> bool:
        """Whether interrupted calls have used it up: then the plugin is not called again."""
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
"""What a call may take on a busy machine though it does next to nothing."""
