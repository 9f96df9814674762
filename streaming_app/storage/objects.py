"""Listing and reading files and objects: the interface that local folders and S3 share. Needs no Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """A file or object, or a folder (size 0); ``size`` in bytes.

    ``modified`` is in epoch seconds, for people and metrics: no decision depends on it.

    ``problem`` says why a local file cannot be examined, or a local folder cannot be listed.
    """

    uri: str
    size: int = 0
    modified: float = 0.0
    is_folder: bool = False
    problem: str = ""

    @property
    def name(self) -> str:
        return self.uri.rpartition("/")[2]


class Objects(Protocol):
    """Lists and reads files. Folders are URIs without a slash at the end; a missing folder is empty, not an error."""

    def list_directory(self, folder: str) -> Iterator[ObjectInfo]:
        """Files and folders directly in a folder."""

    def files(self, folder: str) -> Iterator[ObjectInfo]:
        """All files below a folder, a page at a time."""

    def lines(self, uri: str) -> Iterator[str]:
        """Lines of a text file, a chunk at a time.

        Raises:
            OSError: it does not exist or cannot be read.
        """
