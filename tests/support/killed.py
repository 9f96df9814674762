"""Death in the middle: from the n-th change of anything stored on, nothing is changed any more, whatever the program does.

For what is stored this is as good as SIGKILL, which cannot spare a process the start of another JVM. The real thing is
:mod:`tests.support.doomed`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from deltalake import DeltaTable

from streaming_app.lease.holder import Holder
from streaming_app.lease.slot import LocalSlot
from streaming_app.storage import Storage

EFFECTS: tuple[tuple[type, str], ...] = (
    (DeltaTable, "create_write_transaction"),
    (DeltaTable, "restore"),
    (Storage, "write_text"),
    (Storage, "delete"),
    (Storage, "delete_folder"),
    (LocalSlot, "swap"),
)
"""Every way in which the driver changes what is stored, but for files that no log names yet."""


class Killed(Exception):
    """Of a stream it comes out as the stream's own error: Spark hands on nothing else."""


class Life:
    """Counts changes; the one after ``changes`` of them is fatal."""

    def __init__(self, changes: float, die: Callable[[], None] | None = None) -> None:
        self._left, self._die = changes, die
        self.made = 0
        self.is_over = False

    def spend(self, real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        is_renewal = threading.current_thread().name == "lease"  # how many there are depends on how fast the machine is
        if self.is_over or (self.made >= self._left and not is_renewal):
            self.is_over = True
            if self._die:
                self._die()
            raise Killed
        self.made += not is_renewal
        return real(*arguments, **options)


@contextmanager
def life_of(changes: float = float("inf")) -> Iterator[Life]:
    """The block dies after so many changes, and leaves the lease of a process that is no more."""
    life = Life(changes)
    patches = armed(lambda _: life)
    try:
        yield life
    except Exception:
        if not life.is_over:
            raise
    finally:
        for each in patches:
            each.stop()


def armed(life_at: Callable[[str], Life]) -> list[Any]:
    """Patches, at work: each effect is a change in the life of whatever has the file or the table that it changes."""
    patches = [patch.object(kind, name, _spending(life_at, getattr(kind, name))) for kind, name in EFFECTS]
    for each in patches:
        each.start()
    return patches


def _spending(life_at: Callable[[str], Life], real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments, **options: life_at(_place(*arguments)).spend(real, *arguments, **options)


def _place(changed: Any, *arguments: Any, **_: Any) -> str:
    """Path of what is changed."""
    if isinstance(changed, DeltaTable):
        return str(changed.table_uri)
    return str(changed.path if isinstance(changed, LocalSlot) else arguments[0])


@contextmanager
def other_process_is_dead() -> Iterator[None]:
    """The lease that was left names this process, which is alive: here it counts as gone."""
    with patch.object(Holder, "is_alive_here", property(lambda _: False)):
        yield
