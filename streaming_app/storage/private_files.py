"""Directories that only this user can read, for files that are shared between processes: never a predictable name in /tmp."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import stat
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

log = logging.getLogger("clickstream")

_temporary: dict[tuple[int, int, str], Path] = {}
"""Temporary directories of this process, by process id (a fork is another process), user and name."""


def private_directory(name: str) -> Path:
    """A directory below the user's cache that belongs to this user, mode 0700; it is created if it is missing.

    If it cannot be created, or other users could replace it, a temporary one is used, which is deleted when the process ends.
    """
    wanted = user_cache_path("clickstream") / name
    try:
        _create(wanted)
        if not (problem := _problem(wanted)):
            return wanted
        log.warning("%s is not used: %s", wanted, problem)
    except OSError as error:  # no home directory, or a read-only one, as in a container
        log.info("%s is not used: %s", wanted, error)
    return _temporary_directory(name)


def create_private_file(path: Path) -> int:
    """Create a file, mode 0600, and open it for writing; returns the file descriptor.

    Raises:
        FileExistsError: the file, or a link of that name, exists.
    """
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _create(directory: Path) -> None:
    """Create a directory and its missing parents, whose modes Path.mkdir would leave to the umask."""
    for each in (*reversed(directory.parents), directory):
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)


def _problem(directory: Path) -> str:
    """Why other users could replace a directory, "" if they cannot; their permission to read it is removed."""
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return "it is no directory"
    if status.st_uid != os.geteuid():
        return "it belongs to another user"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "other users may write to it"
    for above in directory.resolve().parents:
        status = above.stat()
        if status.st_uid not in (0, os.geteuid()):
            return f"{above} belongs to another user"
        # A group may write to the home directory of a user who has that group alone, which is common.
        if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
            return f"every user may write to {above}"
    directory.chmod(0o700)
    return ""


def _temporary_directory(name: str) -> Path:
    key = os.getpid(), os.geteuid(), name
    if key not in _temporary or not _temporary[key].is_dir():
        _temporary[key] = Path(tempfile.mkdtemp(prefix="clickstream-"))
        atexit.register(_delete, os.getpid(), _temporary[key])
    return _temporary[key]


def _delete(process: int, directory: Path) -> None:
    if process == os.getpid():
        shutil.rmtree(directory, ignore_errors=True)
