"""Local files and folders behind the interface :class:`~streaming_app.storage.objects.Objects`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from streaming_app.storage.objects import ObjectInfo


class LocalObjects:
    """See :class:`streaming_app.storage.objects.Objects`."""

    def list_directory(self, folder: str) -> Iterator[ObjectInfo]:
        if not Path(folder).is_dir():
            return
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                if found := _object_info(entry):
                    yield found

    def files(self, folder: str) -> Iterator[ObjectInfo]:
        """See there. A link to a folder outside of this one is not followed: it could expose other files of this machine."""
        return _files(folder, frozenset())

    def lines(self, uri: str) -> Iterator[str]:
        with Path(uri).open(encoding="utf-8") as file:
            for line in file:
                yield line.rstrip("\n")


LEADS_OUT = "is a link that leads out of the source"


def leads_out(path: str, folder: str) -> bool:
    """Whether a path is a link to something outside of a folder."""
    if not Path(path).is_symlink():
        return False
    real, root = os.path.realpath(path), os.path.realpath(folder)
    return os.path.commonpath((real, root)) != root


def _files(folder: str, above: frozenset[tuple[int, int]]) -> Iterator[ObjectInfo]:
    """All files below a folder; ``above`` are its parent folders by device and inode, since a link to one of them would be a
    cycle.

    Uses a list instead of recursion: folders may be nested more deeply than Python's recursion limit.
    """
    waiting = [(ObjectInfo(folder, is_folder=True), above)]
    while waiting:
        found, above = waiting.pop()
        if not found.is_folder:
            yield found
            continue
        if found.uri != folder and leads_out(found.uri, folder):
            yield ObjectInfo(found.uri, is_folder=True, problem=LEADS_OUT)
            continue
        try:
            status = Path(found.uri).stat()
            own = status.st_dev, status.st_ino
            children = [] if own in above else list(LocalObjects().list_directory(found.uri))
        except FileNotFoundError:
            continue  # deleted in the meantime
        except OSError as error:
            yield ObjectInfo(found.uri, is_folder=True, problem=f"cannot be listed: {error.strerror}")
            continue
        if own in above:
            yield ObjectInfo(found.uri, is_folder=True, problem="is a link to a folder that it lies in")
        waiting += ((child, above | {own}) for child in reversed(children))


def _object_info(entry: os.DirEntry[str]) -> ObjectInfo | None:
    """Information on an entry of a folder; None if it was deleted in the meantime."""
    try:
        if entry.is_dir():
            return ObjectInfo(entry.path, is_folder=True)
        status = entry.stat()
    except OSError as error:
        if not entry.is_symlink():
            return None
        return ObjectInfo(entry.path, problem=f"is a link that leads to no file: {error.strerror}")
    return ObjectInfo(entry.path, status.st_size, status.st_mtime)
