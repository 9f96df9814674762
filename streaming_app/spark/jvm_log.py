"""Redirects the output of the JVM to a private log file, which is kept if the run fails."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streaming_app.storage.private_files import create_private_file, private_directory

_KEEP_SECONDS = 7 * 86_400
"""How long the logs of failed and killed runs are kept."""

_current: list[Path] = []
"""The log of this process's JVM, which is started once."""


@contextmanager
def jvm_output_to_log() -> Iterator[None]:
    """Redirect all output of a JVM that is started inside the block to a file, to keep our own output clean.

    On a cluster the JVM runs already and has its own logs. With ``--debug`` the output is shown on the terminal.
    """
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    log = _open_log()
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield
    finally:
        os.close(log)
        for number, saved in enumerate(kept, start=1):
            os.dup2(saved, number)
            os.close(saved)


def jvm_log() -> Path | None:
    """The log of this process's JVM, if it is not empty."""
    return next((each for each in _current if each.is_file() and each.stat().st_size), None)


def discard_jvm_log() -> None:
    """Delete the log after a run without errors."""
    while _current:
        _current.pop().unlink(missing_ok=True)


def _open_log() -> int:
    if _current and _current[0].is_file():
        return os.open(_current[0], os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
    directory = private_directory("log")
    for old in directory.glob("jvm-*.log"):
        if old.lstat().st_mtime < time.time() - _KEEP_SECONDS:
            old.unlink(missing_ok=True)
    _current[:] = [directory / f"jvm-{os.getpid()}-{secrets.token_hex(4)}.log"]
    return create_private_file(_current[0])
