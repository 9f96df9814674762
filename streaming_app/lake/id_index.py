"""Index files: the hashes of a data file's ids in ascending order, so that a search for ids reads 8 bytes of each, and no row.

A data file of ``event`` or ``change`` has its index file at ``<table>/_ids/<path of the data file>.ids``. Readers of the table
and Delta's vacuums (Spark's and deltalake's) pass over folders whose name begins with ``_``; ours deletes an index file once its
data file is gone. Data files never change, and neither do their index files. One that is missing, or fails a check, is made
again from the ids.

Layout, little-endian::

    16 bytes        MAGIC, number of rows (uint64)
    8 bytes a row   hashes (uint64) in ascending order, see :func:`streaming_app.lake.hashes.stable_hashes`
    4 bytes a row   for each hash the index of its row in the data file (uint32)
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from streaming_app.lake.hashes import IdHashes, stable_hashes
from streaming_app.model.tables import CHANGE, EVENT, Table
from streaming_app.storage.files import Storage

FOLDER = "_ids"
SUFFIX = ".ids"
MAGIC = b"clickid\x01"
_HEADER_BYTES, _HASH_BYTES, _ROW_BYTES = 16, 8, 4
ID_COLUMN = "event_id"

MIN_ROWS = 1_024
"""Smaller data files have no index file: their ids are read about as fast."""
_HASHED_ROWS = 32_768
"""Ids that are collected before they are hashed: a query for a few costs as much as for thousands. A task may have 64 open files,
and so many ids of each in memory."""

RowIndexes: TypeAlias = "np.ndarray[Any, np.dtype[np.uint32]]"


class HashRange(NamedTuple):
    """One of ``of`` equal ranges of hashes."""

    number: int = 0
    of: int = 1

    @property
    def first(self) -> int:
        return (self.number << 64) // self.of

    @property
    def last(self) -> int:
        return ((self.number + 1) << 64) // self.of - 1

    def slice_of(self, hashes: IdHashes) -> slice:
        """Where the range is among hashes in ascending order."""
        first = np.searchsorted(hashes, np.uint64(self.first), "left")
        return slice(int(first), int(np.searchsorted(hashes, np.uint64(self.last), "right")))


class IdsInRange(NamedTuple):
    """Hashes of a data file in ascending order."""

    hashes: IdHashes
    position: int
    """The position of the first of them among all hashes of the file."""
    rows: RowIndexes | None
    """For each hash the index of its row; None where the index file has them."""


class _DamagedIndexError(Exception):
    """An index file is missing, or fails a check."""


def is_indexed(table: Table) -> bool:
    """Whether data files of the table have index files."""
    return table.name in (EVENT.name, CHANGE.name)


def has_index(rows: int) -> bool:
    """Whether a data file of so many rows has an index file."""
    return rows >= MIN_ROWS


def index_path(path: str) -> str:
    """Path of the index file of a data file; both are relative to the table."""
    return f"{FOLDER}/{path}{SUFFIX}"


def data_path(path: str) -> str | None:
    """Path of the data file that an index file belongs to; None for other files."""
    is_index = path.startswith(f"{FOLDER}/") and path.endswith(SUFFIX)
    return path.removeprefix(f"{FOLDER}/").removesuffix(SUFFIX) if is_index else None


class IdCollector:
    """Hashes the ids of a data file while it is written."""

    def __init__(self) -> None:
        self._pending: list[pa.Array] = []
        self._pending_rows = self._hashed_rows = 0
        self._hashes: list[IdHashes] = []

    def add(self, ids: pa.ChunkedArray) -> None:
        self._pending += ids.chunks
        self._pending_rows += len(ids)
        if self._pending_rows >= _HASHED_ROWS:
            self._hash_pending()

    def hashes(self) -> IdHashes | None:
        """The hashes of all ids, in the order of the rows; None where these are too few for an index file."""
        if not has_index(self._hashed_rows + self._pending_rows):
            return None
        self._hash_pending()
        return np.concatenate(self._hashes)

    def _hash_pending(self) -> None:
        if self._pending_rows:
            self._hashes.append(stable_hashes(pa.chunked_array(self._pending, pa.string())))
            self._hashed_rows += self._pending_rows
        self._pending, self._pending_rows = [], 0


class IdIndex:
    """The index files of a table, by the paths of their data files."""

    def __init__(self, uri: str, storage: Storage) -> None:
        self._system, self._root = storage.filesystem(uri)

    def write(self, path: str, hashes: IdHashes) -> None:
        """Write an index file, whole or not at all; ``hashes`` are those of all rows, in their order."""
        order = np.argsort(hashes)
        header = MAGIC + len(hashes).to_bytes(8, "little")
        parts = (header, hashes[order].astype("<u8", copy=False), order.astype("<u4"))
        target = self._path_of(path)
        if isinstance(self._system, fs.S3FileSystem):  # an object is there only once it is complete
            _write_parts(self._system, target, parts)
            return
        self._system.create_dir(target.rpartition("/")[0], recursive=True)
        unfinished = f"{target}.{uuid.uuid4().hex}.tmp"  # two tasks may make the same file at a time
        _write_parts(self._system, unfinished, parts)
        self._system.move(unfinished, target)

    def make(self, path: str) -> IdHashes:
        """Make an index file from the ids; returns the hashes of all rows, in their order."""
        hashes = self._hash_file(path)
        self.write(path, hashes)
        return hashes

    def find_missing(self, files: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """The data files, of (path, rows), whose index file is missing or of a wrong length."""
        expected = [(path, rows) for path, rows in files if has_index(rows)]
        found = self._system.get_file_info([self._path_of(path) for path, _ in expected])
        return [file for info, file in zip(found, expected, strict=True) if info.size != _index_bytes(file[1])]

    def read(self, path: str, rows: int, part: HashRange) -> IdsInRange:
        """The hashes in a range, of a data file with ``rows`` rows: from its index file, which is made where it is missing or
        fails a check."""
        if not has_index(rows):
            return _select(self._hash_file(path), part)
        try:
            return self._read_index(path, rows, part)
        except (FileNotFoundError, _DamagedIndexError):
            return _select(self.make(path), part)

    def rows_at(self, path: str, ids: IdsInRange, positions: np.ndarray[Any, Any]) -> RowIndexes:
        """The indexes of the rows whose hashes are at some positions in ``ids``; positions are in ascending order."""
        if ids.rows is not None:
            return np.asarray(ids.rows[positions])
        first, count = int(positions[0]), int(positions[-1] - positions[0]) + 1
        with self._system.open_input_file(self._path_of(path)) as file:
            rows = (file.size() - _HEADER_BYTES) // (_HASH_BYTES + _ROW_BYTES)
            offset = _HEADER_BYTES + rows * _HASH_BYTES + (ids.position + first) * _ROW_BYTES
            return np.asarray(np.frombuffer(file.read_at(count * _ROW_BYTES, offset), "<u4")[positions - first])

    def delete(self, path: str) -> None:
        """Delete an index file, if there is one."""
        target = self._path_of(path)
        if self._system.get_file_info(target).type == fs.FileType.File:
            self._system.delete_file(target)

    def _read_index(self, path: str, rows: int, part: HashRange) -> IdsInRange:
        """Read about the range's share of an index file.

        Hashes are spread evenly: the n-th of N ranges begins within some square roots of the number of rows after the n-th of N
        parts of the file. Whether that was all of the range is seen at both ends; if it was not, the whole file is read.
        """
        margin = 8 * math.isqrt(rows) + 8
        begin, end = max(rows * part.number // part.of - margin, 0), min(rows * (part.number + 1) // part.of + margin, rows)
        with self._system.open_input_file(self._path_of(path)) as file:
            if file.size() != _index_bytes(rows):
                raise _DamagedIndexError
            hashes = _read_hashes(file, begin, end, rows)
            within = part.slice_of(hashes)
            at_ends = (begin and within.start == 0) or (end < rows and within.stop == len(hashes))
            if part.of > 1 and (at_ends or within.start == within.stop):
                begin, hashes = 0, _read_hashes(file, 0, rows, rows)
                within = part.slice_of(hashes)
        return IdsInRange(hashes[within], begin + within.start, None)

    def _hash_file(self, path: str) -> IdHashes:
        ids = pq.read_table(f"{self._root}/{path}", columns=[ID_COLUMN], filesystem=self._system, partitioning=None)
        return stable_hashes(ids[ID_COLUMN])

    def _path_of(self, path: str) -> str:
        return f"{self._root}/{index_path(path)}"


def _index_bytes(rows: int) -> int:
    return _HEADER_BYTES + rows * (_HASH_BYTES + _ROW_BYTES)


def _write_parts(system: fs.FileSystem, path: str, parts: Iterable[Any]) -> None:
    with system.open_output_stream(path) as stream:
        for part in parts:
            stream.write(part)


def _read_hashes(file: Any, begin: int, end: int, rows: int) -> IdHashes:
    """The hashes at the positions from ``begin`` to ``end`` of an index file of ``rows`` rows.

    Raises:
        _DamagedIndexError: they are not in ascending order, or the header is another one.
    """
    header = _HEADER_BYTES if begin == 0 else 0
    content = file.read_at(header + (end - begin) * _HASH_BYTES, _HEADER_BYTES + begin * _HASH_BYTES - header)
    hashes: IdHashes = np.frombuffer(content, "<u8", offset=header)
    if (header and content[:header] != MAGIC + rows.to_bytes(8, "little")) or (hashes[1:] < hashes[:-1]).any():
        raise _DamagedIndexError
    return hashes


def _select(hashes: IdHashes, part: HashRange) -> IdsInRange:
    """The hashes of a range, of those of all rows in their order."""
    order = np.argsort(hashes)
    ordered = hashes[order]
    within = part.slice_of(ordered)
    return IdsInRange(ordered[within], within.start, order[within].astype(np.uint32))
