"""What nothing needs any more in the folder of a table: data files, and entries of its log. Found here, deleted by deltalake."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deltalake import DeltaTable
from pyarrow import fs

from streaming_app.lake.lake import Lake
from streaming_app.model.tables import Table

LOG_RETENTION_DAYS = 30
"""Delta's default of delta.logRetentionDuration, which our tables leave as it is."""

_LOG_ENTRY = re.compile(r"_delta_log/(\d{20})\.(json|checkpoint\.parquet)$")


@dataclass(frozen=True)
class StoredFile:
    """A file in the folder of a table; ``path`` is relative to it."""

    path: str
    size: int
    written: datetime


@dataclass(frozen=True)
class Expired:
    """What is to go of one table."""

    table: Table
    data: list[StoredFile]
    log: list[StoredFile]

    def __bool__(self) -> bool:
        return bool(self.data or self.log)

    @property
    def bytes(self) -> int:
        return sum(file.size for file in (*self.data, *self.log))


def expired(lake: Lake, table: Table, retention_hours: int, derive_needs: int | None) -> Expired:
    """What may go of a table: data files that no version of the last hours needs, orphans of that age, and expired entries of
    the log.

    ``derive_needs`` is the version from which on derive has yet to read the table, None if it does not.
    """
    opened = lake.open(table)
    stored = {file.path: file for file in files_below(lake, table)}
    # deltalake names files that are gone already, too, for as long as its log has them.
    gone = opened.vacuum(retention_hours, dry_run=True, enforce_retention_duration=False, full=True)
    log = expired_log(stored.values(), opened.version(), datetime.now(UTC))
    kept = derive_needs is not None and any(_version(file) == derive_needs for file in log)
    return Expired(table, [stored[path] for path in sorted(gone) if path in stored], [] if kept else log)


def files_below(lake: Lake, table: Table) -> Iterable[StoredFile]:
    """All files in the folder of a table, by one listing."""
    system, root = lake.storage.filesystem(lake.uri(table))
    for info in system.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True)):
        if info.type == fs.FileType.File:
            yield StoredFile(info.path.removeprefix(root).lstrip("/"), info.size, info.mtime)


def expired_log(stored: Iterable[StoredFile], newest: int, now: datetime) -> list[StoredFile]:
    """Entries of the log that deltalake's clean-up takes away: old ones before a checkpoint from which all younger versions
    can be read.

    Source: cleanup_expired_logs_for of delta-rs.
    """
    cutoff = now - timedelta(days=LOG_RETENTION_DAYS)
    entries = [file for file in stored if _LOG_ENTRY.search(file.path)]
    needed = min((_version(file) for file in entries if file.written >= cutoff), default=newest)
    checkpoints = [_version(file) for file in entries if file.path.endswith(".parquet") and _version(file) <= min(needed, newest)]
    first = max(checkpoints, default=0)
    return [file for file in entries if _version(file) < first and file.written <= cutoff]


def _version(entry: StoredFile) -> int:
    matched = _LOG_ENTRY.search(entry.path)
    return int(matched[1]) if matched else -1


def delete(opened: DeltaTable, found: Expired, retention_hours: int) -> None:
    """Let deltalake delete what was found."""
    if found.data:
        opened.vacuum(retention_hours, dry_run=False, enforce_retention_duration=False, full=True)
    if found.log:
        opened.cleanup_metadata()
