"""Maintenance of Delta tables: compaction of small files, and deletion of files and log entries that no reader needs any more."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from deltalake import ColumnProperties, DeltaTable, WriterProperties
from deltalake.exceptions import DeltaError
from pyarrow import fs

from streaming_app.errors import SinkError
from streaming_app.lake import id_index
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import COMPRESSION, COMPRESSION_LEVEL, ROW_GROUP_ROWS, UNIQUE
from streaming_app.model.tables import ITEM_ATTRIBUTES, SESSION, USER, Table
from streaming_app.storage.side_by_side import map_side_by_side

MIN_FILES_SAVED = 4
"""Minimum number of files that a compaction must save: for one or two, the rewrite costs more than readers' requests for them."""

APPEND_TARGET_BYTES = 128 << 20
"""Target file size of append-only tables, as Athena recommends. A day of an app rarely has more than a few such files."""

UPSERT_TARGET_BYTES = 32 << 20
"""Target file size of tables whose rows are replaced: a run holds each file that has one of its users in memory (about eight
times its size), and rewrites it."""

LOG_RETENTION_DAYS = 30
"""Delta's default of delta.logRetentionDuration, which our tables do not change."""

_LARGE_ROWS_PER_GROUP = 1_024
"""Maximum rows of a row group if each may have a megabyte of text: a rewrite of the file holds a row group in memory."""

_CONCURRENT_TASKS = 2
"""Number of files that a compaction writes concurrently: each takes about 400 MB of memory."""

_UPSERTED = frozenset({USER.name, SESSION.name, ITEM_ATTRIBUTES.name})
_LOG_ENTRY = re.compile(r"_delta_log/(\d{20})\.(json|checkpoint\.parquet)$")


def table_exists(lake: Lake, table: Table) -> bool:
    """Whether the Delta table exists, in any layout."""
    return bool(DeltaTable.is_deltatable(lake.uri(table), lake.storage.delta_options()))


@dataclass(frozen=True)
class Compaction:
    """A partition to be compacted: ``files`` with ``bytes`` in total would be merged into ``saved`` fewer ones."""

    table: Table
    partition: dict[str, str]
    files: int
    bytes: int
    saved: int

    def __str__(self) -> str:
        return f"{self.table.name}{''.join(f' {name}={value}' for name, value in self.partition.items())}"


@dataclass(frozen=True)
class CompactionResult:
    """The result of the compaction of one partition: files and bytes that it removed (before) and added (after)."""

    partitions: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


def plan_compactions(table: Table, files: Iterable[DataFile], target_bytes: int) -> Iterator[Compaction]:
    """The partitions in which a compaction would save at least :data:`MIN_FILES_SAVED` files.

    ``files`` are all files of the table in the order of its log. A partition is not included if its small files are not
    neighbours in the log, since a compaction cannot merge them, nor after it was compacted.
    """
    sizes: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for file in files:
        partition = tuple((name, file.partition[name]) for name in table.partition_by)
        sizes.setdefault(partition, []).append(file.size)
    for partition, all_sizes in sorted(sizes.items()):
        merged = _pack_neighbours(all_sizes, target_bytes)
        count = sum(map(len, merged))
        if count - len(merged) >= MIN_FILES_SAVED:
            yield Compaction(table, dict(partition), count, sum(map(sum, merged)), count - len(merged))


def _pack_neighbours(sizes: Iterable[int], target_bytes: int) -> list[list[int]]:
    """Group the sizes of files by the file that deltalake would merge them into.

    deltalake has no dry run for a compaction. It takes the files of a partition in the order of the log, skips those larger than
    the target, and merges neighbours as long as they fit into it; a single file is unchanged.
    """
    bins: list[list[int]] = [[]]
    total = 0
    for size in sizes:
        if bins[-1] and total + size > target_bytes:
            bins.append([])
            total = 0
        if size <= target_bytes:
            bins[-1].append(size)
            total += size
    return [each for each in bins if len(each) > 1]


def target_bytes_of(table: Table) -> int:
    """Maximum size of a compacted file of a table."""
    return UPSERT_TARGET_BYTES if table.name in _UPSERTED else APPEND_TARGET_BYTES


def find_compactions(lake: Lake, table: Table) -> list[Compaction]:
    """The partitions of a table that should be compacted, from its log only.

    Raises:
        SinkError: the table does not exist.
    """
    return list(plan_compactions(table, live_files(lake.open(table)), target_bytes_of(table)))


def compact(lake: Lake, due: Compaction) -> CompactionResult:
    """Merge the small files of one partition in a commit without data change, which streams skip.

    Raises:
        LockError: this process may no longer write.
        SinkError: the files cannot be read or written; the table is unchanged.
    """
    table = lake.open(due.table)
    lake.guard()
    try:
        metrics = table.optimize.compact(
            [(name, "=", value) for name, value in due.partition.items()] or None,
            target_size=target_bytes_of(due.table),
            max_concurrent_tasks=_CONCURRENT_TASKS,
            writer_properties=writer_properties(due.table),
        )
    except (DeltaError, OSError) as error:
        raise SinkError(
            f"{table.table_uri}: {due} cannot be compacted: {error}", "what was compacted before stays; repeat it"
        ) from None
    added, removed = (msgspec.json.decode(metrics[name]) for name in ("filesAdded", "filesRemoved"))
    return CompactionResult(
        metrics["partitionsOptimized"], removed["totalFiles"], added["totalFiles"], removed["totalSize"], added["totalSize"]
    )


def writer_properties(table: Table) -> WriterProperties:
    """Parquet settings like those of our own writer, as far as deltalake supports them."""
    columns = {
        name: _column_properties(dictionary=name not in UNIQUE, statistics=name in table.stats_columns)
        for name in table.file_schema.names
        if name in UNIQUE or name in table.stats_columns
    }
    return WriterProperties(
        compression=COMPRESSION,
        compression_level=COMPRESSION_LEVEL,
        max_row_group_size=_LARGE_ROWS_PER_GROUP if table.unbounded_columns else ROW_GROUP_ROWS,
        default_column_properties=_column_properties(dictionary=True, statistics=False),
        column_properties=columns,
    )


def _column_properties(*, dictionary: bool, statistics: bool) -> ColumnProperties:
    return ColumnProperties(dictionary_enabled=dictionary, statistics_enabled="CHUNK" if statistics else "NONE")


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
