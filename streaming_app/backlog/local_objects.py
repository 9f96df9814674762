"""Files of this machine, seen as S3 shows objects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from streaming_app.backlog.objects import Found


class LocalObjects:
    """See :class:`streaming_app.backlog.objects.Objects`."""

    def children(self, folder: str) -> Iterator[Found]:
        if not Path(folder).is_dir():
            return
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                yield _found(entry)

    def files(self, folder: str) -> Iterator[Found]:
        for child in self.children(folder):
            if child.is_folder:
                yield from self.files(child.uri)
            else:
                yield child

    def lines(self, uri: str) -> Iterator[str]:
        with Path(uri).open(encoding="utf-8") as file:
            for line in file:
                yield line.rstrip("\n")


def _found(entry: os.DirEntry[str]) -> Found:
    if entry.is_dir():
        return Found(entry.path, is_folder=True)
    status = entry.stat()
    return Found(entry.path, status.st_size, status.st_mtime)
