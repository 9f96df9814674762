"""Death in the middle: from the n-th change of anything stored on, nothing is changed any more, whatever the program does.

For what is stored this is as good as SIGKILL, which cannot spare a process the start of another JVM. The real thing is
:mod:`tests.support.doomed`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from deltalake import DeltaTable
from deltalake.table import TableAlterer

from streaming_app.lake.lock.holder import Holder
from streaming_app.storage.conditional_object import LocalConditionalObject
from streaming_app.storage.files import Storage

EFFECTS: dict[tuple[type, str], str] = {
    (DeltaTable, "create_write_transaction"): "commit",
    (DeltaTable, "create"): "create",
    (DeltaTable, "restore"): "restore",
    (TableAlterer, "add_columns"): "alter",
    (TableAlterer, "set_table_properties"): "alter",
    (DeltaTable, "vacuum"): "vacuum",
    (DeltaTable, "cleanup_metadata"): "clean",
    (Storage, "write_text"): "write",
    (Storage, "delete"): "delete",
    (Storage, "delete_folder"): "delete",
    (LocalConditionalObject, "compare_and_swap"): "write",
}
"""Every way in which the driver changes what is stored, but for files that no log names yet; and what a change is called."""


class Killed(Exception):
    """Of a stream it comes out as the stream's own error: Spark hands on nothing else."""


class Life:
    """The changes that something makes, by name: ``commit user``, then ``commit user 2``. It ends at its ``moment``, the number of
    changes made before, or ``before NAME`` or ``after NAME``."""

    def __init__(self, moment: str | int = "", die: Callable[[], None] | None = None) -> None:
        self._moment, self._die = moment, die
        self.changes: list[str] = []
        self.is_over = False

    def spend(self, change: str, real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Make a change, or die."""
        is_renewal = threading.current_thread().name == "writer-lock"  # how many there are depends on how fast the machine is
        before = sum(re.fullmatch(rf"{change}( \d+)?", each) is not None for each in self.changes)
        name = f"{change} {before + 1}" if before else change
        if self.is_over or (not is_renewal and self._moment in (len(self.changes), f"before {name}")):
            self._end()
        done = real(*arguments, **options)
        if not is_renewal:
            self.changes.append(name)
            if self._moment == f"after {name}":
                self._end()
        return done

    def _end(self) -> None:
        self.is_over = True
        if self._die:
            self._die()
        raise Killed


@contextmanager
def life_of(moment: str | int = "") -> Iterator[Life]:
    """The block dies at that moment, and leaves the lease of a process that is no more."""
    life = Life(moment)
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
    patches = [patch.object(*effect, _spending(life_at, verb, getattr(*effect))) for effect, verb in EFFECTS.items()]
    for each in patches:
        each.start()
    return patches


def _spending(life_at: Callable[[str], Life], verb: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def spend(*arguments: Any, **options: Any) -> Any:
        if verb == "vacuum" and options.get("dry_run", True):
            return real(*arguments, **options)
        path = _path(*arguments)
        return life_at(path).spend(f"{verb} {_what(path)}", real, *arguments, **options)

    return spend


def _path(changed: Any, *arguments: Any) -> str:
    """Of what is changed."""
    if isinstance(changed, TableAlterer):
        changed = changed.table
    if isinstance(changed, DeltaTable):
        return str(changed.table_uri)
    if isinstance(changed, str):
        return changed
    return str(changed.path if isinstance(changed, LocalConditionalObject) else arguments[0])


def _what(path: str) -> str:
    """The table, or what is beside the tables."""
    found = re.search(r"/lake/(?:_checkpoints/)?_?(\w+)", path)
    return found[1] if found else "raw"


@contextmanager
def other_process_is_dead() -> Iterator[None]:
    """The lease that was left names this process, which is alive: here it counts as gone."""
    with patch.object(Holder, "is_alive_here", property(lambda _: False)):
        yield
