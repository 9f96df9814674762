"""What is unprocessed: what the source holds without what the window's stream has committed. No time is compared."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

from wcmatch import fnmatch

from streaming_app.backlog.file_log import committed_files, has_unfinished_batch
from streaming_app.backlog.set_aside import set_aside_files
from streaming_app.backlog.source_partitions import SourcePartition, is_visible
from streaming_app.backlog.unreadable_names import NO_NAMES, directory_of, is_blocked, unreadable_name
from streaming_app.storage.objects import ObjectInfo, Objects

MAX_DIRECTORIES = 200
"""Folders that are handed to Spark one by one; with more it lists the window itself."""

MAX_UNREADABLE_NAMES = 1_000
"""So many files that Spark cannot be given are set aside in a run; the next run goes on."""


@dataclass
class Backlog:
    """Unprocessed files of a window: number, stored bytes, and which work it is, as a number that two equal backlogs share."""

    source_partition: SourcePartition
    files: int = 0
    bytes: int = 0
    oldest: float | None = None
    """When the oldest of them was written, epoch seconds."""
    places: set[str] = field(default_factory=set)
    """The directories that they lie in, or they themselves where Spark cannot list these; incomplete beyond
    :data:`MAX_DIRECTORIES`."""
    blocked: frozenset[str] = frozenset()
    """Folders that Spark cannot list, nor any folder above them."""
    odd: dict[str, str] = field(default_factory=dict)
    """Those that Spark cannot be given, and why; no more than :data:`MAX_UNREADABLE_NAMES` of them."""
    unread: dict[int, int] = field(default_factory=dict)
    """The others by key: their sizes, bytes."""
    unfinished: bool = False
    """A batch was planned and not committed."""
    complete: bool = True
    """False if counting stopped early."""
    digest: int = 0

    def __bool__(self) -> bool:
        return self.files > 0 or self.unfinished

    def add(self, listed: Listed, key: int) -> None:
        found = listed.found
        if listed.odd is not None:
            if len(self.odd) == MAX_UNREADABLE_NAMES:
                return
            self.odd[found.uri] = listed.odd
        self.files += 1
        self.bytes += found.size
        self.oldest = min(self.oldest or found.modified, found.modified) if found.modified else self.oldest
        self.digest ^= key
        if listed.odd is None:
            self.unread[key] = found.size
            if len(self.places) <= MAX_DIRECTORIES:
                self.places.add(listed.place)

    @property
    def given(self) -> set[str]:
        """What Spark is sent to: the places, or the window's roots, which it lists, where there are too many of them."""
        if self.blocked or 0 < len(self.places) <= MAX_DIRECTORIES:
            return set(sorted(self.places)[:MAX_DIRECTORIES])
        odd = (root.uri for root in self.source_partition.roots if root.problem or unreadable_name(root, []))
        return {root.uri for root in self.source_partition.roots} - {*odd, *self.odd}

    def set_aside(self, odd: dict[str, str]) -> None:
        """Spark cannot be given these either."""
        self.odd |= odd
        self.places -= odd.keys()
        for uri in odd:
            self.unread.pop(key_of(uri), None)

    @property
    def is_part(self) -> bool:
        """Whether it is more than can be done at once."""
        return len(self.odd) == MAX_UNREADABLE_NAMES or bool(self.blocked and len(self.places) > MAX_DIRECTORIES)


class Listed(NamedTuple):
    """A file and the place to send Spark to for it; ``odd`` says why Spark cannot be given it, if it cannot.

    ``blocks`` is a folder that Spark cannot list because of it.
    """

    found: ObjectInfo
    place: str
    odd: str | None = None
    blocks: str | None = None


def unprocessed(
    source_partition: SourcePartition,
    glob: str,
    objects: Objects,
    enough_bytes: float = math.inf,
    blocked: frozenset[str] = frozenset(),
) -> Backlog:
    """The backlog of one window; counting stops at ``enough_bytes`` stored bytes; to ``blocked`` folders Spark is not to be sent.

    In memory are two numbers for each file (about 100 bytes in a Python set or dict) and one page of the listing.
    """
    done = _Done(source_partition, objects)
    unfinished = has_unfinished_batch(objects, source_partition.checkpoint)
    backlog = _counted(Backlog(source_partition, unfinished=unfinished, blocked=blocked), done, glob, objects, enough_bytes)
    if backlog.blocked > blocked:  # known only when all is listed; then files of folders above have to be places of their own
        again = Backlog(source_partition, unfinished=unfinished, blocked=backlog.blocked)
        return _counted(again, done, glob, objects, enough_bytes)
    return backlog


def _counted(backlog: Backlog, done: _Done, glob: str, objects: Objects, enough_bytes: float) -> Backlog:
    blocked = set(backlog.blocked)
    for listed in listed_files(backlog.source_partition, glob, objects, backlog.blocked):
        if listed.blocks:
            blocked.add(listed.blocks)
        key = key_of(listed.found.uri)
        if key not in done.committed and key not in done.set_aside:
            backlog.add(listed, key)
            if backlog.bytes >= enough_bytes:
                backlog.complete = False
                break
    backlog.blocked = frozenset(blocked)
    return backlog


def still_unread(backlog: Backlog, glob: str, objects: Objects) -> Iterator[str]:
    """The files of ``unread`` that are still there, and that the window's stream has not committed though it was sent there."""
    if not backlog.unread:
        return
    done, given = _Done(backlog.source_partition, objects), backlog.given
    for found, place, odd, _ in listed_files(backlog.source_partition, glob, objects, backlog.blocked):
        key = key_of(found.uri)
        is_given = place in given or any(place.startswith(f"{each}/") for each in given)
        if key in backlog.unread and odd is None and is_given and key not in done.committed:
            yield found.uri


@dataclass
class _Done:
    """Keys of the files that need nothing more: looked up when the first file is met, and only once."""

    source_partition: SourcePartition
    objects: Objects

    @cached_property
    def committed(self) -> set[int]:
        return {key_of(uri) for uri in committed_files(self.objects, self.source_partition.checkpoint)}

    @cached_property
    def set_aside(self) -> set[int]:
        return {key_of(uri) for uri in set_aside_files(self.objects, self.source_partition)}


def key_of(uri: str) -> int:
    """64 bits of a URI: among a million files, the chance that a new one is taken for an old one is 1 in 10^13."""
    return int.from_bytes(blake2b(uri.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def matching_files(source_partition: SourcePartition, glob: str, objects: Objects) -> Iterator[tuple[ObjectInfo, str]]:
    """The files of a window that Spark's file source reads, each with the place to send Spark to."""
    return ((each.found, each.place) for each in listed_files(source_partition, glob, objects) if each.odd is None)


def listed_files(
    source_partition: SourcePartition, glob: str, objects: Objects, blocked: frozenset[str] = frozenset()
) -> Iterator[Listed]:
    """The files of a window that are to be read, also those that Spark cannot be given.

    ``blocked`` are the folders that Spark cannot list: of what is in them, or above them, each file is a place of its own.
    """
    for root in source_partition.roots:
        for found in objects.files(root.uri) if root.is_folder and not root.problem else (root,):
            below = found.uri.removeprefix(root.uri)[1:].split("/") if found.uri != root.uri else []
            odd = unreadable_name(root, below)
            hidden = not all(is_visible(part) or part in NO_NAMES for part in below or [root.name])
            if found.is_folder:
                if not hidden:
                    yield Listed(found, "", f"this folder {found.problem}", found.uri)
            elif hidden or not fnmatch.fnmatch(found.name, glob, flags=_AS_HADOOP):
                if odd and odd.blocks:  # not to be read, but in the way all the same
                    yield Listed(found, "", odd.why, odd.blocks)
            elif odd or found.problem:
                yield Listed(found, "", odd.why if odd else found.problem, odd.blocks if odd else None)
            else:
                place = directory_of(root, below)
                yield Listed(found, found.uri if is_blocked(place, blocked) else place)


_AS_HADOOP = fnmatch.BRACE | fnmatch.CASE | fnmatch.DOTMATCH
