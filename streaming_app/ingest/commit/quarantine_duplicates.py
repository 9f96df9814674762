"""Deduplication of ``quarantine``: an element is stored once, even if its file is read again and it fails again.

The files of a batch are compared with the table one by one, in tasks where they are large: what one raw file has left in
``quarantine`` is in few files of the batch and, by the statistics of the log, in few files of the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.commit.task_runner import TaskRunner
from streaming_app.lake.commit import TableChange
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rewrite import without_rows
from streaming_app.lake.rows import read_columns
from streaming_app.model.tables import QUARANTINE

KEY = ("source_file", "source_line", "envelope", "raw")
"""The envelope is part of the key because it has the element's position in its request."""

_SECONDS_PER_BYTE = 3e-8
"""CPU-seconds to read and compare a stored byte of ``quarantine``."""


@dataclass(frozen=True)
class QuarantineChange:
    """What a batch adds to ``quarantine``: files, the number of elements that their rows stand for, and by reason the number of
    elements that are there already."""

    change: TableChange
    elements: int
    known: dict[str, int]


class _Comparison(NamedTuple):
    """A file of the batch, and the stored files that may have rows of the same raw files."""

    file: DataFile
    stored: list[DataFile]

    @property
    def seconds(self) -> float:
        """The CPU-seconds that it takes, about."""
        return sum(file.size for file in (self.file, *self.stored)) * _SECONDS_PER_BYTE


class _Compared(msgspec.Struct):
    """What a file of the batch becomes; the counts are those of :class:`QuarantineChange`."""

    path: str
    kept: list[DataFile]
    elements: int
    known: dict[str, int]


def deduplicate_quarantine(files: list[DataFile], lake: Lake, runner: TaskRunner) -> QuarantineChange:
    """Remove from a batch's files the elements that the table has already."""
    if not files:
        return QuarantineChange(TableChange([], [], []), 0, {})
    stored = live_files(lake.open(QUARANTINE))
    comparisons = [_Comparison(file, list(_same_sources(file, stored))) for file in files]
    messages = runner.run(comparisons, lambda each: each.seconds, partial(_compare_in_task, lake.for_workers))
    compared = {each.path: each for each in (msgspec.msgpack.decode(message, type=_Compared) for message in messages)}
    found = [compared[file.path] for file in files]
    known: dict[str, int] = {}
    for each in found:
        for reason, count in each.known.items():
            known[reason] = known.get(reason, 0) + count
    kept = [file for each in found for file in each.kept]
    return QuarantineChange(TableChange(kept, [], []), sum(each.elements for each in found), known)


def _same_sources(file: DataFile, stored: Iterable[DataFile]) -> Iterator[DataFile]:
    """The stored files that may have rows of the same raw files, by the names in their statistics."""
    stats = msgspec.json.decode(file.stats or "{}")
    lowest, highest = (stats.get(name, {}).get("source_file") for name in ("minValues", "maxValues"))
    for each in stored:
        first, last = each.min_values.get("source_file"), each.max_values.get("source_file")
        if None in (lowest, highest, first, last) or (first <= highest and last >= lowest):
            yield each


def _compare_in_task(lake: Lake, comparisons: Iterable[_Comparison]) -> Iterator[bytes]:
    """Write files again without what the table has already; yields one message of :class:`_Compared` for each."""
    for file, stored in comparisons:
        rows = _read(lake, file.path, [*KEY, "reason", "elements"])
        is_known = pc.is_in(keys(rows), _known_keys(lake, stored, pc.unique(rows["source_file"]))).combine_chunks()
        elements = pc.fill_null(rows["elements"], 1)
        added = pc.sum(elements.filter(pc.invert(is_known))).as_py() or 0
        known: dict[str, int] = {}
        for reason, count in zip(*(column.filter(is_known).to_pylist() for column in (rows["reason"], elements)), strict=True):
            known[reason] = known.get(reason, 0) + count
        kept = without_rows(lake, QUARANTINE, file, is_known) if known else [file]
        yield msgspec.msgpack.encode(_Compared(file.path, kept, added, known))


def _known_keys(lake: Lake, stored: Iterable[DataFile], sources: pa.Array) -> pa.Array:
    """Keys of the stored rows that come from the raw files ``sources``."""
    found = [pa.array([], pa.string())]
    for file in stored:
        here = pc.is_in(_read(lake, file.path, ["source_file"])["source_file"], sources)
        if pc.any(here).as_py():
            found += keys(_read(lake, file.path, list(KEY)).filter(here)).chunks
    return pa.concat_arrays(found)


def keys(rows: pa.Table) -> pa.ChunkedArray:
    """The key of each row as one text; the lengths of its parts are included, so that keys never collide."""
    parts = [pc.fill_null(rows[name].cast(pa.string()), "") for name in KEY]
    lengths = pc.binary_join_element_wise(*(pc.binary_length(part).cast(pa.string()) for part in parts), " ")
    return pc.binary_join_element_wise(lengths, *parts, " ")


def _read(lake: Lake, path: str, columns: list[str]) -> pa.Table:
    return read_columns(f"{lake.uri(QUARANTINE)}/{path}", columns, lake.storage)
