"""Names that Spark's file source cannot read, and folders that it must not list because of a name in them.

Found by trying each with Spark 4.1 and Hadoop 3.4, on local folders and by S3A (tests/spark/test_zoo.py, tests/aws/test_zoo.py).
Whatever else it passes over is noticed when its stream has ended, see :mod:`streaming_app.ingest.set_aside`.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import NamedTuple

from streaming_app.storage.objects import ObjectInfo
from streaming_app.storage.uris import is_s3

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""S3A reads listings as XML 1.0, which does not have these characters, not even escaped."""


NO_NAMES = ("", ".", "..")
"""Parts of a key on S3 that are no names to Hadoop."""


class UnreadableName(NamedTuple):
    """Why Spark cannot read a file; ``blocks`` is a folder that it cannot list because of it, nor any folder above."""

    why: str
    blocks: str | None = None


def unreadable_name(root: ObjectInfo, below: list[str]) -> UnreadableName | None:
    """Why Spark cannot read a file below a root of its source partition (or the root itself); None where it can."""
    if ":" in root.uri.removeprefix("s3://"):
        return UnreadableName("its path has a colon where Spark has to be given it by name: move it, or give it another name")
    if not is_s3(root.uri):
        return None if _is_utf8("/".join((root.uri, *below))) else UnreadableName("its name is no UTF-8: give it another name")
    above = root.uri.removeprefix("s3://").split("/")
    for number, part in enumerate((*above, *below)):
        folder = "s3://" + "/".join((*above, *below)[:number])
        if part == "..":
            return UnreadableName("a part of its name is '..', which Spark takes for the folder above", folder)
        if part in ("", "."):
            return UnreadableName(f"a part of its name is {part!r}, which Spark leaves out")
        if _NOT_IN_XML.search(part):
            return UnreadableName("its name has a character that Spark's listing of S3 cannot hold", folder)
    return None


def directory_of(root: ObjectInfo, below: list[str]) -> str:
    """The directory that Spark is to list for a file: its own, or the nearest above it whose path has no colon, which Hadoop's
    patterns cannot hold; the file itself where it lies in no folder of the source partition."""
    if not root.is_folder:
        return root.uri
    return "/".join((root.uri, *takewhile(lambda part: ":" not in part, below[:-1])))


def is_blocked(folder: str, blocked: frozenset[str]) -> bool:
    """Whether Spark cannot list a folder, with all that is below it."""
    return any(each == folder or each.startswith(f"{folder}/") for each in blocked)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
