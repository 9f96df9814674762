"""Commands that SIGKILL ends in the middle: ``python -m tests.support.doomed``.

A JVM of its own for each would take most of the time. So one process runs them one after the other, each on tables of its own and
up to its moment, where it waits for ever. When all wait, the process kills itself. What each leaves behind is what it leaves where
it is killed at that moment, for whoever waits changes nothing.

Its input are :class:`Doom` as JSON, one a line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from streaming_app.cli import _exit_code
from tests.support.killed import Life, armed

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Doom:
    """A command on what is in ``folder``, and its ``moment``, see :class:`tests.support.killed.Life`; an empty one is no moment."""

    folder: str
    command: list[str]
    moment: str


IN_THE_FILES = "in the files"
"""The moment when a file of events appears or goes: here the process is killed at once, so it can be the last one's only."""


def killed_at_once(dooms: Iterable[Doom]) -> None:
    """Run them in a process of their own, which the operating system ends when each is at its moment."""
    lines = "".join(f"{json.dumps(asdict(doom))}\n" for doom in dooms)
    pipes: dict[str, Any] = {"input": lines, "capture_output": True, "text": True, "cwd": ROOT}
    done = subprocess.run([sys.executable, "-m", __name__], timeout=400, check=False, **pipes)
    assert done.returncode == -signal.SIGKILL, done.stderr[-3_000:]


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Doomed:
    """A command at work, in a thread of its own."""

    def __init__(self, doom: Doom) -> None:
        self.doom = doom
        self._is_there = threading.Event()
        self.life = Life(doom.moment, die=self._wait_for_ever)

    def _wait_for_ever(self) -> None:
        self._is_there.set()
        threading.Event().wait()

    def run_to_its_moment(self) -> None:
        """If it ends before, so does the process, with an error."""
        if self.doom.moment == IN_THE_FILES:
            threading.Thread(target=self._kill_when_a_file_changes, daemon=True).start()
        thread = threading.Thread(target=_exit_code, args=(self.doom.command, True), daemon=True)
        thread.start()
        while not self._is_there.wait(0.01):
            if not thread.is_alive():
                print(f"{self.doom} was done: {self.life.changes}", file=sys.stderr, flush=True)
                os._exit(1)  # Spark's own end would wait for those that wait

    def _kill_when_a_file_changes(self) -> None:
        events = Path(self.doom.folder, "lake", "event")
        before = set(events.rglob("*.parquet"))
        while before == set(events.rglob("*.parquet")):
            time.sleep(0.0005)
        _kill()


def _main() -> None:
    all_of_them = [_Doomed(Doom(**json.loads(line))) for line in sys.stdin]

    def life_at(place: str) -> Life:
        return next(each.life for each in all_of_them if f"{each.doom.folder}/" in place)

    armed(life_at)
    for each in all_of_them:
        each.run_to_its_moment()
    _kill()


if __name__ == "__main__":
    _main()
