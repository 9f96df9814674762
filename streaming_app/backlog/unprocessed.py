"""What is unprocessed: what the source holds without what the window's stream has committed. No time is compared."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

from wcmatch import fnmatch

from streaming_app.backlog.file_log import committed_files, has_unfinished_batch
from streaming_app.backlog.objects import Found, Objects
from streaming_app.backlog.windows import Window, is_visible

log = logging.getLogger("clickstream")

MOST_PLACES = 200
"""Folders that are handed to Spark one by one; with more it lists the window itself."""


@dataclass
class Backlog:
    """Unprocessed files of a window: number, stored bytes, and which work it is, as a number that two equal backlogs share."""

    window: Window
    files: int = 0
    bytes: int = 0
    oldest: float | None = None
    """When the oldest of them was written, epoch seconds."""
    places: set[str] = field(default_factory=set)
    """The folders that they lie in, or they themselves outside the dated folders; incomplete beyond :data:`MOST_PLACES`."""
    unfinished: bool = False
    """A batch was planned and not committed."""
    complete: bool = True
    """False if counting stopped early."""
    digest: int = 0

    def __bool__(self) -> bool:
        return self.files > 0 or self.unfinished

    def add(self, found: Found, place: str, key: int) -> None:
        self.files += 1
        self.bytes += found.size
        self.oldest = min(self.oldest or found.modified, found.modified)
        self.digest ^= key
        if len(self.places) <= MOST_PLACES:
            self.places.add(place)


def unprocessed(window: Window, glob: str, objects: Objects, enough_bytes: float = math.inf) -> Backlog:
    """The backlog of one window; counting stops at ``enough_bytes`` stored bytes.

    In memory are a number for each committed file (about 100 bytes in a Python set) and one page of the listing.
    """
    backlog = Backlog(window, unfinished=has_unfinished_batch(objects, window.checkpoint))
    committed = {_key(uri) for uri in committed_files(objects, window.checkpoint)}
    for found, place in readable_files(window, glob, objects):
        key = _key(found.uri)
        if key not in committed:
            backlog.add(found, place, key)
            if backlog.bytes >= enough_bytes:
                backlog.complete = False
                break
    return backlog


def _key(uri: str) -> int:
    """64 bits of a URI: among a million files, the chance that a new one is taken for an old one is 1 in 10^13."""
    return int.from_bytes(blake2b(uri.encode(), digest_size=8).digest())


def readable_files(window: Window, glob: str, objects: Objects) -> Iterator[tuple[Found, str]]:
    """The files of a window that Spark's file source reads, each with the place to send Spark to."""
    for root in window.roots:
        for found in objects.files(root.uri) if root.is_folder else (root,):
            below = found.uri.removeprefix(root.uri)[1:].split("/") if root.is_folder else [root.name]
            if "" in below:
                log.warning("%s: cannot be read by Spark, because of the empty folder name in it", found.uri)
            elif all(map(is_visible, below)) and fnmatch.fnmatch(below[-1], glob, flags=_AS_HADOOP):
                yield found, found.uri.rpartition("/")[0] if root.is_folder else found.uri


_AS_HADOOP = fnmatch.BRACE | fnmatch.CASE | fnmatch.DOTMATCH
