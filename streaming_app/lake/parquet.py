"""Writes rows to Parquet files, a directory per partition; readers see them once the driver has committed them."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.lake.files import DataFile
from streaming_app.lake.id_index import ID_COLUMN, IdCollector, IdIndex, is_indexed
from streaming_app.lake.spill import Partition, PartitionSpill, partition_codes
from streaming_app.model.tables import Table
from streaming_app.storage.files import Storage
from streaming_app.storage.uploads import Uploads
from streaming_app.storage.uris import is_s3

ROW_GROUP_ROWS = 65_536
_PENDING_ROWS = 2 * ROW_GROUP_ROWS
_PENDING_BYTES = 256 << 20
"""Maximum bytes of buffered rows; ordinary rows reach the maximum number of rows first."""
_NAME = "file_name"
"""Column of gathered rows that has the prefix of their files' names."""
_SMALLEST_SHARE = 1 / 16
"""Share of the buffered rows that a partition must have to be written by itself."""
_FEW_PARTITIONS = 32
"""Number of partitions up to which rows are split as they come: to take one's rows of 100 columns costs 0.3 ms."""
TARGET_BYTES = 128 << 20
"""Size at which a file is finished, and the next rows of its partition begin another one."""
_MAX_OPEN_FILES = 64
"""Maximum number of open files of a table in a task, about 0.9 MB each; the least recently used one is closed for another."""
COMPRESSION: Final = "ZSTD"
COMPRESSION_LEVEL = 1
_SMALL_FILE_ROWS = 4_096
"""Rows of a file up to which it is compressed by Snappy: ZSTD takes 4 ms to begin with 110 columns, whatever they hold.
Compaction writes small files again."""
UNIQUE = frozenset({"event_id", "raw"})
"""Columns whose values rarely repeat within a file: a dictionary would be built and discarded."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass
class _OpenFile:
    path: str
    stream: Any
    writer: pq.ParquetWriter
    rows: int = 0
    stats: list[dict[str, Any]] = field(default_factory=list)
    ids: IdCollector = field(default_factory=IdCollector)


class Codec(NamedTuple):
    """How the pages of a file are compressed."""

    name: str
    level: int | None = None


def _codec_for(rows: int) -> Codec:
    return Codec("SNAPPY") if rows <= _SMALL_FILE_ROWS else Codec(COMPRESSION, COMPRESSION_LEVEL)


class _FileKey(NamedTuple):
    """Rows of one partition with files of one name are written to the same file."""

    partition: Partition
    name: str


class PartitionWriter:
    """Writes the rows of one table; call :meth:`add` any number of times, then :meth:`close` once.

    ``name`` is the prefix of the files' names.
    """

    def __init__(self, table: Table, root: str, storage: Storage, name: str) -> None:
        self._table, self._root, self._name = table, root, name
        self._system, self._path = storage.filesystem(root)
        self._id_index = IdIndex(root, storage) if is_indexed(table) else None
        self._pending: dict[_FileKey, list[pa.Table]] = {}
        self._pending_rows: dict[_FileKey, int] = {}
        self._pending_bytes: dict[_FileKey, int] = {}
        self._open: dict[_FileKey, _OpenFile] = {}  # the least recently used one first
        self._uploads = Uploads(in_threads=is_s3(root))
        self._spill = PartitionSpill((*table.partition_by, _NAME))
        self._written: list[DataFile] = []

    def add(self, rows: pa.Table, name: str = "") -> None:
        """Add rows with the table's whole schema, to files of their own if they have a ``name`` of their own.

        Rows of few partitions are buffered and written by partition; those of many, and small remains, are gathered first.
        """
        name = name or self._name
        parts = _split_few(rows, self._table.partition_by, _FEW_PARTITIONS)
        if parts is None:
            self._spill.add(_with_name(rows, name))
            return
        for partition, part in parts:
            key = _FileKey(partition, name)
            self._pending.setdefault(key, []).append(part)
            self._pending_rows[key] = self._pending_rows.get(key, 0) + part.num_rows
            self._pending_bytes[key] = self._pending_bytes.get(key, 0) + part.nbytes
            if self._pending_rows[key] >= ROW_GROUP_ROWS:
                self._flush(key, full_groups_only=True)
        for pending, limit in ((self._pending_rows, _PENDING_ROWS), (self._pending_bytes, _PENDING_BYTES)):
            while sum(pending.values()) >= limit:
                largest = max(pending, key=pending.__getitem__)
                if pending[largest] < limit * _SMALLEST_SHARE:
                    self._spill_pending()
                else:
                    self._flush(largest)

    def add_row_group(self, partition: Partition, rows: pa.Table) -> None:
        """Write rows of one partition, without its columns, as a row group; texts may be dictionary-encoded, in each call the
        same ones."""
        self._write(_FileKey(partition, self._name), rows, rows.schema)

    def close(self) -> list[DataFile]:
        """Finish all files; returns one description each."""
        if self._spill:
            self._spill_pending()
        for (*partition, (_, name)), rows in self._spill.drain():
            key = _FileKey(tuple(partition), name)
            self._write(key, rows.drop_columns([_NAME, *self._table.partition_by]))
            self._finish(key)
        for key in list(self._pending):
            self._flush(key)
            self._finish(key)
        for key in list(self._open):
            self._finish(key)
        self._uploads.wait()
        return self._written

    def _spill_pending(self) -> None:
        for key, rows in self._pending.items():
            self._spill.add(_with_name(pa.concat_tables(rows), key.name))
        for each in (self._pending, self._pending_rows, self._pending_bytes):
            each.clear()

    def _flush(self, key: _FileKey, *, full_groups_only: bool = False) -> None:
        """Write the buffered rows of a file; the rows after the last full row group may stay buffered."""
        del self._pending_rows[key], self._pending_bytes[key]
        rows = pa.concat_tables(self._pending.pop(key))  # chunk by chunk: combining them would double the memory
        if full_groups_only and (rest := rows.slice(len(rows) - len(rows) % ROW_GROUP_ROWS)):
            rows = rows.slice(0, len(rows) - len(rest))
            self._pending[key], self._pending_rows[key], self._pending_bytes[key] = [rest], len(rest), rest.nbytes
        self._write(key, rows.drop_columns(list(self._table.partition_by)))

    def _write(self, key: _FileKey, rows: pa.Table, schema: pa.Schema | None = None) -> None:
        file = self._open.pop(key, None) or self._create(key, _codec_for(rows.num_rows), schema or self._table.file_schema)
        self._open[key] = file
        file.writer.write_table(rows, row_group_size=ROW_GROUP_ROWS)
        file.rows += rows.num_rows
        file.stats.append(column_stats(rows, self._table.stats_columns))
        if self._id_index:
            file.ids.add(rows[ID_COLUMN])
        if file.stream.tell() >= TARGET_BYTES:
            self._finish(key)

    def _create(self, key: _FileKey, codec: Codec, schema: pa.Schema) -> _OpenFile:
        if len(self._open) >= _MAX_OPEN_FILES:
            self._finish(next(iter(self._open)))
        # Readers take partition values from the Delta log; the folder name is for people, so it needs no escapes.
        folders = "".join(f"{name}={_UNSAFE.sub('_', value)}/" for name, value in key.partition)
        path = f"{folders}{key.name}-{uuid.uuid4()}.{codec.name.lower()}.parquet"
        full = f"{self._path}/{path}"
        if not is_s3(self._root):
            self._system.create_dir(full.rpartition("/")[0], recursive=True)
        stream = self._system.open_output_stream(full)
        writer = pq.ParquetWriter(
            stream,
            schema,
            compression=codec.name,
            compression_level=codec.level,
            use_dictionary=[name for name in schema.names if name not in UNIQUE],
            write_statistics=list(self._table.stats_columns) or False,
            store_schema=False,
        )
        return _OpenFile(path, stream, writer)

    def _finish(self, key: _FileKey) -> None:
        file = self._open.pop(key, None)
        if file is None:  # it has just reached its target size
            return
        file.writer.close()
        size = file.stream.tell()
        self._uploads.close(file.stream)
        if self._id_index and (hashes := file.ids.hashes()) is not None:
            self._id_index.write(file.path, hashes)
        stats = delta_stats(file.rows, file.stats)
        self._written.append(DataFile(file.path, dict(key.partition), size, file.rows, self._table.name, stats))


def split_by(rows: pa.Table, names: tuple[str, ...]) -> list[tuple[Partition, pa.Table]]:
    """The rows of each combination of values, without those columns."""
    parts = _split_few(rows, names, rows.num_rows) or []
    return [(partition, part.drop_columns(list(names))) for partition, part in parts]


def _split_few(rows: pa.Table, names: tuple[str, ...], most: int) -> list[tuple[Partition, pa.Table]] | None:
    """The rows of each combination of values; None if there are more than ``most``."""
    if not rows.num_rows:
        return []
    keys = rows.select(names)
    if all(map(_constant, keys.columns)):
        return [(_partition(keys.slice(0, 1)), rows)]
    codes, partitions = partition_codes(keys, names)
    if len(partitions) > most:
        return None
    return [(partition, rows.take(pa.array(np.flatnonzero(codes == code)))) for code, partition in enumerate(partitions)]


def _with_name(rows: pa.Table, name: str) -> pa.Table:
    return rows.append_column(_NAME, pa.repeat(name, rows.num_rows))


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
