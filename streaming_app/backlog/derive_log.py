"""Whether the DERIVE query has anything to do: its checkpoint compared with the logs of the Delta tables that it reads.

Source of the formats: OffsetSeqLog of Spark 4.1, DeltaSourceOffset of Delta 4.2, the Delta protocol's commit files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from streaming_app.backlog.file_log import committed_offsets, has_unfinished_batch
from streaming_app.config.model import Config
from streaming_app.storage.objects import Objects
from streaming_app.storage.uris import absolute

DERIVED_FROM = ("event", "change")
"""The tables that derive reads, in the order in which its checkpoint has them."""

_BASE, _END = -1, (1 << 63) - 1 - 100
"""Index of an offset that stands before the first, or behind the last file of its version."""

MANY_COMMITS = 100
"""More commits than this that derive has not seen hold something new: reading them would show the same."""


@dataclass(frozen=True)
class StreamOffset:
    """How far derive has read a table: all versions before ``version``; ``inside`` if part of that one, too."""

    version: int = 0
    inside: bool = False


def derive_is_behind(config: Config, objects: Objects) -> bool:
    """Whether a run that died left events or changes that ``user`` and ``session`` do not know yet."""
    checkpoint = absolute(config.checkpoint_uri("derive"))
    if has_unfinished_batch(objects, checkpoint) or any(objects.list_directory(absolute(config.checkpoint_uri("stale_users")))):
        return True
    offsets = [_parse_offset(each) for each in committed_offsets(objects, checkpoint)] or [StreamOffset() for _ in DERIVED_FROM]
    tables = (absolute(config.table_uri(name)) for name in DERIVED_FROM)
    return any(_has_new_rows(objects, table, offset) for table, offset in zip(tables, offsets, strict=True))


def versions_to_read(config: Config, objects: Objects) -> dict[str, int]:
    """The version of each table from which on derive goes on; the next one where it has read them all. {} before its first
    batch."""
    offsets = committed_offsets(objects, absolute(config.checkpoint_uri("derive")))
    return {name: _parse_offset(each).version for name, each in zip(DERIVED_FROM, offsets, strict=False)}


def _parse_offset(offset: dict[str, int | str | bool]) -> StreamOffset:
    version, index = int(offset["reservoirVersion"]), int(offset["index"])
    if index == _END:
        return StreamOffset(version + 1)
    return StreamOffset(version, inside=index != _BASE)


def _has_new_rows(objects: Objects, table: str, offset: StreamOffset) -> bool:
    if offset.inside:
        return True
    names = (each.name for each in objects.list_directory(f"{table}/_delta_log"))
    versions = [int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdecimal()]
    unseen = sorted(version for version in versions if version >= offset.version)
    if not unseen:
        return False
    cleaned_away = unseen[0] > offset.version
    return cleaned_away or len(unseen) > MANY_COMMITS or any(_adds_rows(objects, table, version) for version in unseen)


def _adds_rows(objects: Objects, table: str, version: int) -> bool:
    """Whether a commit has rows that are new to a stream: an erasure or a compaction has none."""
    actions = [json.loads(line) for line in objects.lines(f"{table}/_delta_log/{version:020}.json") if line]
    return _changes(actions, "add") and not _changes(actions, "remove")


def _changes(actions: Iterable[dict[str, dict[str, bool]]], kind: str) -> bool:
    return any(action[kind].get("dataChange", True) for action in actions if kind in action)
