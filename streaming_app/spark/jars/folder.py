"""Finds the folder of jars and downloads missing ones, one process at a time."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from streaming_app.config.shipped_files import conf_file
from streaming_app.errors import MissingDependencyError
from streaming_app.spark.jars.ivy import IvyError, retrieve
from streaming_app.spark.jars.lock import Jar, fault_of, faults

log = logging.getLogger("clickstream")

_WORK = ".fetching-"
"""Prefix of temporary download folders; the holder of the lock may delete those that a killed process left."""

HINT = (
    "check the network, or name a mirror in an Ivy settings file by CLICKSTREAM_IVY_SETTINGS, or put the jars there; "
    "CLICKSTREAM_JARS names another folder"
)


def jars_folder() -> Path:
    """``CLICKSTREAM_JARS``, else a folder in the user's cache. File names have versions, so all versions of this application
    share it."""
    named = os.environ.get("CLICKSTREAM_JARS")
    return Path(named).absolute() if named else user_cache_path("clickstream") / "jars"


def complete(jars: Collection[Jar], settings: Path | None = None, *, checksums: bool = False) -> list[Path]:
    """Download missing or damaged jars; returns the paths of all jars, in order.

    If several processes need jars at the same time, the first one downloads them and the others wait. A jar gets its final name
    once its checksum is verified, so that no reader sees an incomplete one. ``settings`` are for Ivy, in place of our own.

    Raises:
        MissingDependencyError: a jar is missing and cannot be downloaded, or the folder cannot be written, or is another user's.
    """
    folder = jars_folder()
    checksums |= "CLICKSTREAM_JARS" not in os.environ and _was_open(folder)
    if faults(jars, folder, checksums=checksums):
        try:
            with _alone_in(folder):
                lacking = faults(jars, folder, checksums=checksums)  # another process may have downloaded them in the meantime
                if lacking:
                    _fetch(list(lacking), folder, settings or _own_settings())
        except (IvyError, OSError, NotImplementedError) as error:  # the last one if a file system does not support locks
            raise _problem(faults(jars, folder, checksums=checksums), folder, error) from error
    return [folder / jar.file_name for jar in jars]


def _was_open(folder: Path) -> bool:
    """Remove other users' permission to write to our own folder and the jars in it; returns whether they had it.

    Raises:
        MissingDependencyError: the folder belongs to another user.
    """
    if not folder.is_dir():
        return False
    if folder.stat().st_uid not in (0, os.geteuid()):
        raise MissingDependencyError(
            f"{folder}: the folder of jars belongs to another user", "name one of yours by CLICKSTREAM_JARS"
        )
    opened = [path for path in (folder, *folder.glob("*.jar")) if path.stat().st_mode & _OTHERS_WRITE]
    for path in opened:
        path.chmod(path.stat().st_mode & ~_OTHERS_WRITE)
    return bool(opened)


_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def _own_settings() -> Path:
    named = os.environ.get("CLICKSTREAM_IVY_SETTINGS")
    return Path(named).absolute() if named else conf_file("spark/ivysettings.xml")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process fetches jars into %s: waiting for it", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch(jars: Collection[Jar], folder: Path, settings: Path) -> None:
    size = sum(jar.size for jar in jars) / 1e6
    log.info("fetching %s jars, %s MB, into %s: once on this machine", f"{len(jars):,}", f"{size:,.0f}", folder)
    for left in folder.glob(f"{_WORK}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_WORK, dir=folder, ignore_cleanup_errors=True) as work:
        arrived = retrieve((jar.coordinates for jar in jars), Path(work), settings)
        for jar in jars:
            _put(arrived.get(jar.coordinates), jar, folder)


def _put(arrived: Path | None, jar: Jar, folder: Path) -> None:
    fault = fault_of(jar, arrived, checksums=True) if arrived else "did not arrive"
    if arrived is None or fault:
        raise IvyError(f"what was fetched as {jar.coordinates} {fault}")
    with arrived.open("rb") as file:
        os.fsync(file.fileno())  # if the machine stops now, the final name must not exist with the size but without the content
    arrived.chmod(0o644)
    arrived.replace(folder / jar.file_name)


def _problem(lacking: dict[Jar, str], folder: Path, error: Exception) -> MissingDependencyError:
    said = "; ".join(f"{jar.file_name} {fault}" for jar, fault in lacking.items())
    return MissingDependencyError(f"jars are missing in {folder}: {said}; fetching them failed: {error}", HINT)
