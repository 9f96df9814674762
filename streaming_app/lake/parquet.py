"""Writes rows to Parquet files, a directory per partition; readers see them once the driver has committed them."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.lake.files import DataFile
from streaming_app.model.tables import Table
from streaming_app.storage.files import Storage
from streaming_app.storage.uris import is_s3

ROW_GROUP_ROWS = 65_536
_PENDING_ROWS = 2 * ROW_GROUP_ROWS
_PENDING_BYTES = 256 << 20
"""Maximum bytes of buffered rows; ordinary rows reach the maximum number of rows first."""
_MAX_OPEN_FILES = 64
"""Maximum number of open files of a table in a task, about 0.9 MB each; the least recently used one is closed for another."""
COMPRESSION: Final = "ZSTD"
COMPRESSION_LEVEL = 1
UNIQUE = frozenset({"event_id", "raw"})
"""Columns whose values rarely repeat within a file: a dictionary would be built and discarded."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")

Partition = tuple[tuple[str, str], ...]


@dataclass
class _OpenFile:
    path: str
    stream: Any
    writer: pq.ParquetWriter
    rows: int = 0
    stats: list[dict[str, Any]] = field(default_factory=list)


class PartitionWriter:
    """Writes the rows of one table; call :meth:`add` any number of times, then :meth:`close` once."""

    def __init__(self, table: Table, root: str, storage: Storage, name: str) -> None:
        self._table, self._root, self._name = table, root, name
        self._system, self._path = storage.filesystem(root)
        self._pending: dict[Partition, list[pa.Table]] = {}
        self._pending_rows: dict[Partition, int] = {}
        self._pending_bytes: dict[Partition, int] = {}
        self._open: dict[Partition, _OpenFile] = {}  # the least recently used one first
        self._written: list[DataFile] = []

    def add(self, rows: pa.Table) -> None:
        """Add rows with the table's whole schema."""
        for partition, part in split_by(rows, self._table.partition_by):
            self._pending.setdefault(partition, []).append(part)
            self._pending_rows[partition] = self._pending_rows.get(partition, 0) + part.num_rows
            self._pending_bytes[partition] = self._pending_bytes.get(partition, 0) + part.nbytes
            if self._pending_rows[partition] >= ROW_GROUP_ROWS:
                self._flush(partition)
        for pending, limit in ((self._pending_rows, _PENDING_ROWS), (self._pending_bytes, _PENDING_BYTES)):
            while sum(pending.values()) >= limit:
                self._flush(max(pending, key=pending.__getitem__))

    def close(self) -> list[DataFile]:
        """Finish all files; returns one description each."""
        for partition in list(self._pending):
            self._flush(partition)
            self._finish(partition)
        for partition in list(self._open):
            self._finish(partition)
        return self._written

    def _flush(self, partition: Partition) -> None:
        del self._pending_rows[partition], self._pending_bytes[partition]
        rows = pa.concat_tables(self._pending.pop(partition))  # chunk by chunk: combining them would double the memory
        file = self._open.pop(partition, None) or self._create(partition)
        self._open[partition] = file
        file.writer.write_table(rows, row_group_size=ROW_GROUP_ROWS)
        file.rows += rows.num_rows
        file.stats.append(column_stats(rows, self._table.stats_columns))

    def _create(self, partition: Partition) -> _OpenFile:
        if len(self._open) >= _MAX_OPEN_FILES:
            self._finish(next(iter(self._open)))
        # Readers take partition values from the Delta log; the folder name is for people, so it needs no escapes.
        folders = "".join(f"{name}={_UNSAFE.sub('_', value)}/" for name, value in partition)
        path = f"{folders}{self._name}-{uuid.uuid4()}.zstd.parquet"
        full = f"{self._path}/{path}"
        if not is_s3(self._root):
            self._system.create_dir(full.rpartition("/")[0], recursive=True)
        stream = self._system.open_output_stream(full)
        schema = self._table.file_schema
        writer = pq.ParquetWriter(
            stream,
            schema,
            compression=COMPRESSION,
            compression_level=COMPRESSION_LEVEL,
            use_dictionary=[name for name in schema.names if name not in UNIQUE],
            write_statistics=list(self._table.stats_columns) or False,
            store_schema=False,
        )
        return _OpenFile(path, stream, writer)

    def _finish(self, partition: Partition) -> None:
        file = self._open.pop(partition)
        file.writer.close()
        size = file.stream.tell()
        file.stream.close()
        stats = delta_stats(file.rows, file.stats)
        self._written.append(DataFile(file.path, dict(partition), size, file.rows, self._table.name, stats))


def split_by(rows: pa.Table, names: tuple[str, ...]) -> list[tuple[Partition, pa.Table]]:
    """The rows of each combination of values, without those columns."""
    if not rows.num_rows:
        return []
    kept = rows.drop_columns(list(names))
    keys = rows.select(names)
    if all(map(_constant, keys.columns)):
        return [(_partition(keys.slice(0, 1)), kept)]
    codes = keys.append_column("row", pa.array(range(rows.num_rows), pa.int64()))
    groups = codes.group_by(list(names), use_threads=False).aggregate([("row", "list")])
    parts = []
    for index in range(groups.num_rows):
        group = groups.slice(index, 1)
        parts.append((_partition(group.select(names)), kept.take(group["row_list"].combine_chunks().flatten())))
    return parts


def _constant(column: pa.ChunkedArray) -> bool:
    extremes = pc.min_max(column)
    return bool(extremes["min"] == extremes["max"])


def _partition(row: pa.Table) -> Partition:
    return tuple((name, str(row[name][0].as_py())) for name in row.column_names)


def column_stats(rows: pa.Table, names: tuple[str, ...]) -> dict[str, Any]:
    """Minimum, maximum and null count of some columns."""
    stats = {}
    for name in names:
        extremes = pc.min_max(rows[name])
        stats[name] = (extremes["min"].as_py(), extremes["max"].as_py(), rows[name].null_count)
    return stats


def delta_stats(rows: int, parts: list[dict[str, Any]]) -> str:
    """Statistics of a file in Delta's JSON format, from those of its row groups."""
    min_values, max_values, nulls = {}, {}, {}
    for name in parts[0] if parts else ():
        known = [part[name] for part in parts if part[name][0] is not None]
        if known:
            min_values[name] = _stat_value(min(each[0] for each in known))
            max_values[name] = _stat_value(max(each[1] for each in known), up=True)
        nulls[name] = sum(part[name][2] for part in parts)
    return msgspec.json.encode(
        {"numRecords": rows, "minValues": min_values, "maxValues": max_values, "nullCount": nulls}
    ).decode()


def _stat_value(value: Any, *, up: bool = False) -> Any:
    """A value in Delta's statistics: timestamps are in milliseconds, rounded down for a minimum and up for a maximum."""
    if not isinstance(value, datetime):
        return value.isoformat() if isinstance(value, date) else value
    if up and value.microsecond % 1000:
        value = value.replace(microsecond=min(value.microsecond // 1000 + 1, 999) * 1000)
    return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
