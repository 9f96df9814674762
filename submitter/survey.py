"""Finding the work for a run: unprocessed files by source partition, and whether user and session are behind."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from streaming_app.backlog.derive_log import derive_is_behind
from streaming_app.backlog.source_partitions import due_partitions
from streaming_app.backlog.unprocessed import Backlog, find_backlog
from streaming_app.config.model import Config
from streaming_app.storage.objects import Objects

log = logging.getLogger("clickstream")


@dataclass(frozen=True)
class Workload:
    """Of all windows together. ``complete`` is false where counting stopped because there is more than enough."""

    files: int
    bytes: int
    oldest: float | None
    unfinished: bool
    derive_behind: bool
    complete: bool
    identity: str
    """The same for the same unprocessed files and nothing else."""

    def __bool__(self) -> bool:
        return self.files > 0 or self.unfinished or self.derive_behind


def survey(config: Config, objects: Objects, enough_bytes: float) -> Workload:
    """Count the work; counting stops at ``enough_bytes`` stored bytes, from which on the decision is the same."""
    backlogs = list(_backlogs(config, objects, enough_bytes))
    files = sum(each.files for each in backlogs)
    behind = files == 0 and derive_is_behind(config, objects)  # a run that reads files derives anyway
    parts = sorted(f"{each.source_partition.name} {each.digest} {each.unfinished}" for each in backlogs if each)
    return Workload(
        files=files,
        bytes=sum(each.bytes for each in backlogs),
        oldest=min((each.oldest for each in backlogs if each.oldest is not None), default=None),
        unfinished=any(each.unfinished for each in backlogs),
        derive_behind=behind,
        complete=all(each.complete for each in backlogs),
        identity=sha256("\n".join([config.project_id, *parts, str(behind)]).encode()).hexdigest(),
    )


def _backlogs(config: Config, objects: Objects, enough_bytes: float) -> Iterator[Backlog]:
    left = enough_bytes
    for source_partition in due_partitions(config, objects):
        backlog = find_backlog(source_partition, config.source.glob, objects, left)
        yield backlog
        left -= backlog.bytes
        if not backlog.complete:
            return
