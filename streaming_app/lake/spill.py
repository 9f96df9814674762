"""Gathers rows of thousands of partitions, in memory and on disk, and gives them back partition by partition.

A task whose rows are of 1,000 apps and 3 days would hold 3,000 open files and as many buffers, or write many small files of each
partition. This way each partition is one file, and memory is bounded by :data:`BUFFER_BYTES` and the rows of a group.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Any, TypeAlias

import numpy as np
import pyarrow as pa

Partition = tuple[tuple[str, str], ...]
"""The partition columns and their values as text."""
Codes: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

BUFFER_ROWS = 131_072
BUFFER_BYTES = 128 << 20
"""Maximum of buffered rows; then they are written to disk."""
_GROUPS = 64
"""Number of parts that the partitions are divided into: the rows of one are in memory at a time when they are given back."""
_LZ4 = pa.ipc.IpcWriteOptions(compression="lz4")


class PartitionSpill:
    """Call :meth:`add` any number of times, then :meth:`drain` once. The file on disk has no name: none is left behind."""

    def __init__(self, partition_by: tuple[str, ...]) -> None:
        self._partition_by = partition_by
        self._buffer: list[pa.Table] = []
        self._rows = self._bytes = 0
        self._numbers: dict[Partition, int] = {}  # of each partition, in the order of their first rows
        self._file: IO[bytes] | None = None
        self._parts: list[list[tuple[int, int]]] = [[] for _ in range(_GROUPS)]  # offset and length of what is on disk, by group

    def __bool__(self) -> bool:
        return bool(self._buffer) or self._file is not None

    def add(self, rows: pa.Table) -> None:
        """Add rows with their partition columns."""
        self._buffer.append(rows)
        self._rows, self._bytes = self._rows + rows.num_rows, self._bytes + rows.nbytes
        if self._rows >= BUFFER_ROWS or self._bytes >= BUFFER_BYTES:
            self._write()

    def drain(self) -> Iterator[tuple[Partition, pa.Table]]:
        """The rows of each partition, in the order in which they were added."""
        if self._file is None:
            yield from self._by_partition(self._take_buffer())
            return
        self._write()
        with self._file as file:
            for parts in self._parts:
                if parts:
                    yield from self._by_partition(pa.concat_tables(_read(file, *part) for part in parts))
        self._file = None

    def _by_partition(self, rows: pa.Table) -> Iterator[tuple[Partition, pa.Table]]:
        if not rows.num_rows:
            return
        codes, partitions = partition_codes(rows, self._partition_by)
        for code, part in _split(rows, codes):
            yield partitions[code], part

    def _write(self) -> None:
        """Write the buffered rows to disk, divided into groups of partitions."""
        rows = self._take_buffer()
        if not rows.num_rows:
            return
        codes, partitions = partition_codes(rows, self._partition_by)
        groups = np.array([self._numbers.setdefault(each, len(self._numbers)) % _GROUPS for each in partitions])
        file = self._file = self._file or tempfile.TemporaryFile(prefix="clickstream-")  # noqa: SIM115 - open until drained
        for group, part in _split(rows, groups[codes]):
            buffer = pa.BufferOutputStream()
            with pa.ipc.new_stream(buffer, part.schema, options=_LZ4) as writer:
                writer.write_table(part)
            message = buffer.getvalue()
            self._parts[group].append((file.tell(), message.size))
            file.write(message)

    def _take_buffer(self) -> pa.Table:
        if not self._buffer:
            return pa.table({})
        rows = pa.concat_tables(self._buffer)
        self._buffer, self._rows, self._bytes = [], 0, 0
        return rows


def _read(file: IO[bytes], offset: int, length: int) -> pa.Table:
    file.seek(offset)
    return pa.ipc.open_stream(pa.py_buffer(file.read(length))).read_all()


def partition_codes(rows: pa.Table, names: tuple[str, ...]) -> tuple[Codes, list[Partition]]:
    """For each row the index of its partition, and the partitions."""
    combined = np.zeros(rows.num_rows, np.int64)
    for name in names:
        encoded = rows[name].combine_chunks().dictionary_encode(null_encoding="encode")
        combined = combined * len(encoded.dictionary) + encoded.indices.to_numpy()
    _, first, codes = np.unique(combined, return_index=True, return_inverse=True)
    keys = rows.select(names).take(pa.array(first)).to_pylist()
    return codes, [tuple((name, str(row[name])) for name in names) for row in keys]


def _split(rows: pa.Table, codes: Codes) -> Iterator[tuple[int, pa.Table]]:
    """The rows of each code, in their order; the columns of each are in one chunk."""
    order = np.argsort(codes, kind="stable")
    ordered = rows.combine_chunks().take(pa.array(order))
    [batch] = ordered.combine_chunks().to_batches(max_chunksize=max(1, len(order)))
    found, starts = np.unique(codes[order], return_index=True)
    for code, begin, end in zip(found.tolist(), starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True):
        yield code, pa.Table.from_batches([batch.slice(begin, end - begin)])
