"""Directories that only this user can read, for files that one process leaves for the next: never a predictable name in /tmp."""

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
"""Directories of this process, by its id (a fork is another process), its user and their name."""


def private_directory(name: str) -> Path:
    """A directory below the user's cache that belongs to this user, mode 0700; it is created where it is missing.

    Where there can be none, or where other users could exchange it, it is a temporary one of this process, deleted at its end.
    """
    wanted = user_cache_path("clickstream") / name
    try:
        _create(wanted)
        if not (problem := _problem(wanted)):
            return wanted
        log.warning("%s is not used: %s", wanted, problem)
    except OSError as error:  # no home directory, or one that cannot be written: a container, say
        log.info("%s is not used: %s", wanted, error)
    return _temporary_directory(name)


def create_private_file(path: Path) -> int:
    """Create a file, mode 0600, and open it for writing; the file descriptor.

    Raises:
        FileExistsError: there is one already, be it a link.
    """
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _create(directory: Path) -> None:
    """With all that is missing above it. Path.mkdir would leave the modes of these to the umask."""
    for each in (*reversed(directory.parents), directory):
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)


def _problem(directory: Path) -> str:
    """Why other users can reach a directory, "" where they cannot; rights to read it are taken from them."""
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
