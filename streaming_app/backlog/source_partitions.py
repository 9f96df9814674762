"""The source in partitions by month or day, each with a checkpoint of its own: what a run lists and reads does not grow with
history.

Spark's file source never forgets a file, and rewrites what it knows every ten batches: one checkpoint for all would hold
half a million lines after three years of 500 files a day.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from streaming_app.backlog.unreadable_names import NO_NAMES, unreadable_name
from streaming_app.config.model import Config
from streaming_app.errors import SourceError
from streaming_app.storage.local_objects import LEADS_OUT, leads_out
from streaming_app.storage.objects import ObjectInfo, Objects
from streaming_app.storage.uris import absolute, is_s3

UNPARTITIONED = "rest"
"""The source partition of all that lies in no dated folder."""
ALL = "all"
"""The only source partition of a source that is not split."""

MAX_UNPARTITIONED = 500
"""So many files and folders outside the dated ones are looked up one by one."""

Date = tuple[str, ...]
"""Year, month and day as text, or the first of them."""

_LEVELS = {"month": ("year", "month"), "day": ("year", "month", "day")}
_NAMES = {"month": rf"\d{{4}}-\d\d|{UNPARTITIONED}", "day": rf"\d{{4}}-\d\d-\d\d|{UNPARTITIONED}", "none": ALL}


@dataclass(frozen=True)
class SourcePartition:
    """Part of the source: ``roots`` are the folders (and files) that it consists of, ``checkpoint`` is its stream's.

    ``fully_read``: an earlier run processed all of it.
    """

    name: str
    roots: tuple[ObjectInfo, ...]
    checkpoint: str
    fully_read: bool


def due_partitions(config: Config, objects: Objects) -> list[SourcePartition]:
    """The source partitions that may hold unprocessed files, oldest first: the newest ones, and all that were never fully read.

    Which are newest is known from the names of the folders, not from a clock.

    Raises:
        SourceError: the checkpoints were made with another size of source partitions.
    """
    root = absolute(config.source.uri)
    if unreadable := unreadable_name(ObjectInfo(root, is_folder=True), []):
        raise SourceError(f"{root}: Spark cannot be given this folder: {unreadable.why}", "set source.uri to another folder")
    _check_checkpoints(config, objects)
    done = {each.name for each in objects.list_directory(absolute(config.checkpoint_uri(_MARKS)))}
    partitions = sorted(_list_partitions(config, objects, done), key=lambda each: each.name)
    dated = [each for each in partitions if each.name != UNPARTITIONED]
    newest = {each.name for each in dated[-1 - config.source.windows.look_back :]} | {UNPARTITIONED}
    return [each for each in partitions if each.name in newest or not each.fully_read]


_MARKS = "windows"
"""Folder of the checkpoints with a file for each source partition that was fully read at least once."""


def mark_uri(config: Config, source_partition: SourcePartition) -> str:
    """The file that says that a source partition was fully read."""
    return f"{config.checkpoint_uri(_MARKS)}/{source_partition.name}"


def _list_partitions(config: Config, objects: Objects, done: set[str]) -> Iterator[SourcePartition]:
    root, by = absolute(config.source.uri), config.source.windows.by
    if by == "none":
        yield _source_partition(config, done, ALL, [ObjectInfo(root, is_folder=True)])
        return
    dated, unpartitioned = dated_folders(root, by, objects)
    yield from (_source_partition(config, done, name, folders) for name, folders in dated.items())
    if len(unpartitioned) > MAX_UNPARTITIONED and dated:
        raise SourceError(
            f"{root}: more than {MAX_UNPARTITIONED} files or folders lie beside the dated ones, such as {unpartitioned[0].name}",
            "put them into one folder, or set source.windows.by to none",
        )
    if unpartitioned or not dated:
        yield _source_partition(config, done, UNPARTITIONED, unpartitioned if dated else [ObjectInfo(root, is_folder=True)])


def _source_partition(config: Config, done: set[str], name: str, roots: list[ObjectInfo]) -> SourcePartition:
    return SourcePartition(name, tuple(roots), absolute(f"{config.checkpoint_uri('ingest')}/{name}"), name in done)


def dated_folders(
    root: str, by: str, objects: Objects, wanted: Callable[[Date], bool] = lambda _: True
) -> tuple[dict[str, list[ObjectInfo]], list[ObjectInfo]]:
    """Folders by their dates (2026-11 or 2026-11-23), and what lies beside them.

    Folders for which ``wanted`` is false of their year, year and month or whole date are not looked into.
    """
    dated: dict[str, list[ObjectInfo]] = {}
    unpartitioned: list[ObjectInfo] = []

    def descend(folder: ObjectInfo, levels: tuple[str, ...], date: Date) -> None:
        if not levels:
            dated.setdefault("-".join(date), []).append(folder)  # month=5 and month=05 are one
            return
        for child in _children(folder, objects, root):
            matched = re.fullmatch(rf"{levels[0]}=(\d+)", child.name)
            if matched and child.is_folder and not child.problem:
                below = (*date, matched[1].zfill(4 if levels[0] == "year" else 2))
                if wanted(below):
                    descend(child, levels[1:], below)
            elif is_visible(child.name) or child.name in NO_NAMES:
                unpartitioned.append(child)

    descend(ObjectInfo(root, is_folder=True), _LEVELS[by], ())
    return dated, unpartitioned


def _children(folder: ObjectInfo, objects: Objects, source: str) -> Iterator[ObjectInfo]:
    try:
        for child in objects.list_directory(folder.uri):
            leaves = child.is_folder and not is_s3(child.uri) and leads_out(child.uri, source)
            yield replace(child, problem=LEADS_OUT) if leaves else child
    except PermissionError:  # on this machine; what lies in it is unknown, and the folder is set aside by its name
        yield folder


def is_visible(name: str) -> bool:
    """Whether Spark's file source looks at a file or folder of this name.

    Source: HadoopFSUtils.shouldFilterOutPathName of Spark 4.1.
    """
    hidden = name.startswith(".") or (name.startswith("_") and "=" not in name) or name.endswith("._COPYING_")
    return bool(name) and (not hidden or name.startswith(("_metadata", "_common_metadata")))


def _check_checkpoints(config: Config, objects: Objects) -> None:
    by = config.source.windows.by
    for each in objects.list_directory(absolute(config.checkpoint_uri("ingest"))):
        if not re.fullmatch(_NAMES[by], each.name):
            raise SourceError(
                f"{each.uri}: is the checkpoint of a source that was not split by {by}",
                "set source.windows.by as it was; with another, files that were read already would be read again",
            )
