"""The number of stored users, from the Delta log of ``user`` alone: each run reads and writes most of them again.

The last checkpoint names the number of data files; the commits after it add and remove some, and say how many rows the added ones
have. The files of a table are of about equal size, so that few of them tell the rows of all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from streaming_app.storage.objects import Objects

_NEWEST_COMMITS = 11
"""Commits to be read: there is a checkpoint every ten."""


def stored_users(objects: Objects, user_uri: str) -> int:
    """The rows of ``user``, within some percent; 0 before the first run."""
    log = f"{user_uri}/_delta_log"
    version, files = _last_checkpoint(objects, log)
    rows: list[int] = []
    commits = sorted(
        each.uri for each in objects.list_directory(log) if each.name.endswith(".json") and each.name[:-5].isdecimal()
    )
    for uri in commits[-_NEWEST_COMMITS:]:
        is_later = int(uri.rpartition("/")[2][:-5]) > version
        for action in _actions(objects, uri):
            if "remove" in action:
                files -= is_later
            elif "add" in action:
                files += is_later
                rows.append(json.loads(action["add"].get("stats") or "{}").get("numRecords", 0))
    return round(max(0, files) * sum(rows) / len(rows)) if rows else 0


def _last_checkpoint(objects: Objects, log: str) -> tuple[int, int]:
    """Version of the last checkpoint and the number of data files in it; -1 and 0 where there is none."""
    try:
        found: dict[str, Any] = json.loads("".join(objects.lines(f"{log}/_last_checkpoint")))
    except FileNotFoundError:
        return -1, 0
    return int(found["version"]), int(found.get("numOfAddFiles") or 0)


def _actions(objects: Objects, uri: str) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in objects.lines(uri) if line)
