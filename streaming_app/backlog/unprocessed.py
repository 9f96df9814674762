"""The backlog: files of the source that the stream of their source partition has not committed. No times are compared."""

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
"""Directories that are passed to Spark one by one; with more it lists the source partition itself."""

MAX_UNREADABLE_NAMES = 1_000
"""So many files that Spark cannot read are set aside in a run; the next run goes on."""


@dataclass
class Backlog:
    """Unprocessed files of a source partition: number, stored bytes, and a digest that equal backlogs share."""

    source_partition: SourcePartition
    files: int = 0
    bytes: int = 0
    oldest: float | None = None
    """When the oldest of them was written, epoch seconds."""
    directories: set[str] = field(default_factory=set)
    """The directories that they lie in, or they themselves where Spark cannot list these; incomplete beyond
    :data:`MAX_DIRECTORIES`."""
    blocked: frozenset[str] = frozenset()
    """Folders that Spark cannot list, nor any folder above them."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Those that Spark cannot read, and why; no more than :data:`MAX_UNREADABLE_NAMES` of them."""
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
        if listed.unreadable is not None:
            if len(self.unreadable) == MAX_UNREADABLE_NAMES:
                return
            self.unreadable[found.uri] = listed.unreadable
        self.files += 1
        self.bytes += found.size
        self.oldest = min(self.oldest or found.modified, found.modified) if found.modified else self.oldest
        self.digest ^= key
        if listed.unreadable is None:
            self.unread[key] = found.size
            if len(self.directories) <= MAX_DIRECTORIES:
                self.directories.add(listed.directory)

    @property
    def spark_paths(self) -> set[str]:
        """What Spark is to list: the directories, or the roots of the source partition where there are too many of these."""
        if self.blocked or 0 < len(self.directories) <= MAX_DIRECTORIES:
            return set(sorted(self.directories)[:MAX_DIRECTORIES])
        unreadable = (root.uri for root in self.source_partition.roots if root.problem or unreadable_name(root, []))
        return {root.uri for root in self.source_partition.roots} - {*unreadable, *self.unreadable}

    def set_aside(self, unreadable: dict[str, str]) -> None:
        """Take out files that Spark cannot read either."""
        self.unreadable |= unreadable
        self.directories -= unreadable.keys()
        for uri in unreadable:
            self.unread.pop(key_of(uri), None)

    @property
    def is_part(self) -> bool:
        """Whether it is more than can be done at once."""
        return len(self.unreadable) == MAX_UNREADABLE_NAMES or bool(self.blocked and len(self.directories) > MAX_DIRECTORIES)


class Listed(NamedTuple):
    """A file and the directory that Spark is to list for it; ``unreadable`` says why Spark cannot read it, if it cannot.

    ``blocks`` is a folder that Spark cannot list because of it.
    """

    found: ObjectInfo
    directory: str
    unreadable: str | None = None
    blocks: str | None = None


def find_backlog(
    source_partition: SourcePartition,
    glob: str,
    objects: Objects,
    enough_bytes: float = math.inf,
    blocked: frozenset[str] = frozenset(),
) -> Backlog:
    """Find the backlog of one source partition; counting stops at ``enough_bytes`` stored bytes; ``blocked`` is not to be listed.

    In memory are two numbers for each file (about 100 bytes in a Python set or dict) and one page of the listing.
    """
    done = _ProcessedKeys(source_partition, objects)
    unfinished = has_unfinished_batch(objects, source_partition.checkpoint)
    backlog = _count(Backlog(source_partition, unfinished=unfinished, blocked=blocked), done, glob, objects, enough_bytes)
    if backlog.blocked > blocked:  # known only when all is listed; then Spark gets the files of folders above one by one
        again = Backlog(source_partition, unfinished=unfinished, blocked=backlog.blocked)
        return _count(again, done, glob, objects, enough_bytes)
    return backlog


def _count(backlog: Backlog, done: _ProcessedKeys, glob: str, objects: Objects, enough_bytes: float) -> Backlog:
    blocked = set(backlog.blocked)
    for listed in list_source_files(backlog.source_partition, glob, objects, backlog.blocked):
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
    """The files of ``unread`` that still exist, and that the stream has not committed though it was to list their directory."""
    if not backlog.unread:
        return
    done, given = _ProcessedKeys(backlog.source_partition, objects), backlog.spark_paths
    for found, directory, unreadable, _ in list_source_files(backlog.source_partition, glob, objects, backlog.blocked):
        key = key_of(found.uri)
        is_given = directory in given or any(directory.startswith(f"{each}/") for each in given)
        if key in backlog.unread and unreadable is None and is_given and key not in done.committed:
            yield found.uri


@dataclass
class _ProcessedKeys:
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
    """The files of a source partition that Spark's file source reads, each with the directory that it is to list."""
    return (
        (each.found, each.directory) for each in list_source_files(source_partition, glob, objects) if each.unreadable is None
    )


def list_source_files(
    source_partition: SourcePartition, glob: str, objects: Objects, blocked: frozenset[str] = frozenset()
) -> Iterator[Listed]:
    """The files of a source partition that are to be read, also those that Spark cannot read.

    ``blocked`` are the folders that Spark cannot list: files in them, or above them, are passed to Spark one by one.
    """
    for root in source_partition.roots:
        for found in objects.files(root.uri) if root.is_folder and not root.problem else (root,):
            below = found.uri.removeprefix(root.uri)[1:].split("/") if found.uri != root.uri else []
            unreadable = unreadable_name(root, below)
            hidden = not all(is_visible(part) or part in NO_NAMES for part in below or [root.name])
            if found.is_folder:
                if not hidden:
                    yield Listed(found, "", f"this folder {found.problem}", found.uri)
            elif hidden or not fnmatch.fnmatch(found.name, glob, flags=_AS_HADOOP):
                if unreadable and unreadable.blocks:  # not to be read, but Spark cannot list its folder
                    yield Listed(found, "", unreadable.why, unreadable.blocks)
            elif unreadable or found.problem:
                yield Listed(
                    found, "", unreadable.why if unreadable else found.problem, unreadable.blocks if unreadable else None
                )
            else:
                directory = directory_of(root, below)
                yield Listed(found, found.uri if is_blocked(directory, blocked) else directory)


_AS_HADOOP = fnmatch.BRACE | fnmatch.CASE | fnmatch.DOTMATCH
