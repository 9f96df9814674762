"""Deletes the files and log entries of Delta tables that no reader needs any more."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyarrow import fs

from streaming_app.errors import SinkError
from streaming_app.lake import id_index
from streaming_app.lake.lake import Lake
from streaming_app.model.tables import Table
from streaming_app.storage.side_by_side import map_side_by_side

LOG_RETENTION_DAYS = 30
"""Delta's default of delta.logRetentionDuration, which our tables do not change."""

_LOG_ENTRY = re.compile(r"_delta_log/(\d{20})\.(json|checkpoint\.parquet)$")


def table_exists(lake: Lake, table: Table) -> bool:
    """Whether the Delta table exists, in any layout."""
    return bool(DeltaTable.is_deltatable(lake.uri(table), lake.storage.delta_options()))


@dataclass(frozen=True)
class StoredFile:
    """A file in the folder of a table; ``path`` is relative to it."""

    path: str
    size: int
    written: datetime


@dataclass(frozen=True)
class ExpiredFiles:
    """Files of one table that may be deleted: data files, entries of its log, and the index files of data files that are gone."""

    table: Table
    data: list[StoredFile]
    log: list[StoredFile]
    index: list[StoredFile]

    def __bool__(self) -> bool:
        return bool(self.data or self.log or self.index)

    @property
    def bytes(self) -> int:
        return sum(file.size for file in (*self.data, *self.log, *self.index))


def find_expired(lake: Lake, table: Table, retention_hours: int, first_version_needed: int | None) -> ExpiredFiles:
    """The files of a table that may be deleted: data files that no version of the last hours needs, orphans of that age, and
    expired entries of the log.

    ``first_version_needed``: a stream still has to read the table from this version on; None if there is none.
    """
    opened = lake.open(table)
    stored = {file.path: file for file in list_table_files(lake, table)}
    # The dry run also lists files that were deleted before, for as long as they are in the log.
    unneeded = set(opened.vacuum(retention_hours, dry_run=True, enforce_retention_duration=False, full=True))
    log = find_expired_log(stored.values(), opened.version(), datetime.now(UTC))
    stream_needs_log = first_version_needed is not None and any(_version(file) == first_version_needed for file in log)
    data = [stored[path] for path in sorted(unneeded) if path in stored]
    index = find_expired_index(stored.values(), stored.keys() - unneeded, datetime.now(UTC) - timedelta(hours=retention_hours))
    return ExpiredFiles(table, data, [] if stream_needs_log else log, index)


def list_table_files(lake: Lake, table: Table) -> Iterable[StoredFile]:
    """All files in the folder of a table, by one listing."""
    system, root = lake.storage.filesystem(lake.uri(table))
    for info in system.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True)):
        if info.type == fs.FileType.File:
            yield StoredFile(info.path.removeprefix(root).lstrip("/"), info.size, info.mtime)


def find_expired_index(stored: Iterable[StoredFile], kept: Container[str], cutoff: datetime) -> list[StoredFile]:
    """The index files whose data file is not kept, and what writers that were killed have left beside them before ``cutoff``."""
    of_index = [file for file in stored if file.path.startswith(f"{id_index.FOLDER}/")]
    unneeded = ((file, id_index.data_path(file.path)) for file in of_index)
    return [file for file, path in unneeded if (file.written < cutoff if path is None else path not in kept)]


def find_expired_log(stored: Iterable[StoredFile], newest: int, now: datetime) -> list[StoredFile]:
    """The log entries that deltalake's clean-up would delete (it has no dry run): old ones before a checkpoint from which all
    newer versions can be read.

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


def delete_expired(lake: Lake, expired: ExpiredFiles, retention_hours: int) -> None:
    """Delete expired files of a table.

    Raises:
        LockError: this process may no longer write.
        SinkError: something cannot be deleted.
    """
    lake.guard()
    opened = lake.open(expired.table)
    try:
        if expired.data:
            opened.vacuum(retention_hours, dry_run=False, enforce_retention_duration=False, full=True)
        if expired.log:
            opened.cleanup_metadata()
        uris = [f"{lake.uri(expired.table)}/{file.path}" for file in expired.index]
        list(map_side_by_side(lake.storage.delete, uris))
    except (DeltaError, OSError) as error:
        raise SinkError(
            f"{lake.uri(expired.table)}: cannot be cleaned: {error}", "check your right to delete there; repeat it"
        ) from None
