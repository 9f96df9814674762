"""Deduplication of ``quarantine``: an element is stored once, even if its file is read again and it fails again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.lake.commit import TableChange
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rewrite import without_rows
from streaming_app.lake.rows import read_columns
from streaming_app.model.tables import QUARANTINE

KEY = ("source_file", "source_line", "envelope", "raw")
"""The envelope is part of the key because it has the element's position in its request."""


@dataclass(frozen=True)
class QuarantineChange:
    """What a batch adds to ``quarantine``: files, the number of elements that their rows stand for, and by reason the number of
    elements that are there already."""

    change: TableChange
    elements: int
    known: dict[str, int]


def deduplicate_quarantine(files: list[DataFile], lake: Lake) -> QuarantineChange:
    """Remove from a batch's files the elements that the table has already."""
    if not files:
        return QuarantineChange(TableChange([], [], []), 0, {})
    stored = live_files(lake.open(QUARANTINE))
    rows = {file.path: _read(lake, file.path, [*KEY, "reason", "elements"]) for file in files}
    sources = pc.unique(pa.chunked_array([chunk for each in rows.values() for chunk in each["source_file"].chunks]))
    known = known_keys(lake, stored, sources)
    kept: list[DataFile] = []
    duplicates: dict[str, int] = {}
    added = 0
    for file in files:
        table = rows[file.path]
        is_known = pc.is_in(keys(table), known).combine_chunks()
        elements = pc.fill_null(table["elements"], 1)
        added += pc.sum(elements.filter(pc.invert(is_known))).as_py() or 0
        found = (column.filter(is_known).to_pylist() for column in (table["reason"], elements))
        for reason, count in zip(*found, strict=True):
            duplicates[reason] = duplicates.get(reason, 0) + count
        kept += _without(file, is_known, lake) if pc.any(is_known).as_py() else [file]
    return QuarantineChange(TableChange(kept, [], []), added, duplicates)


def known_keys(lake: Lake, stored: Iterable[DataFile], sources: pa.Array) -> pa.Array:
    """Keys of the stored rows that come from the raw files ``sources``."""
    first, last = pc.min_max(sources).as_py().values()
    found = [pa.array([], pa.string())]
    for file in stored:
        lowest, highest = file.min_values.get("source_file"), file.max_values.get("source_file")
        if lowest is not None and highest is not None and (lowest > last or highest < first):
            continue
        here = pc.is_in(_read(lake, file.path, ["source_file"])["source_file"], sources)
        if pc.any(here).as_py():
            found += keys(_read(lake, file.path, list(KEY)).filter(here)).chunks
    return pa.concat_arrays(found)


def keys(rows: pa.Table) -> pa.ChunkedArray:
    """The key of each row as one text; the lengths of its parts are included, so that keys never collide."""
    parts = [pc.fill_null(rows[name].cast(pa.string()), "") for name in KEY]
    lengths = pc.binary_join_element_wise(*(pc.binary_length(part).cast(pa.string()) for part in parts), " ")
    return pc.binary_join_element_wise(lengths, *parts, " ")


def _without(file: DataFile, lost: pa.Array, lake: Lake) -> list[DataFile]:
    kept = without_rows(lake, QUARANTINE, file, lost)
    lake.storage.delete(f"{lake.uri(QUARANTINE)}/{file.path}")
    return kept


def _read(lake: Lake, path: str, columns: list[str]) -> pa.Table:
    return read_columns(f"{lake.uri(QUARANTINE)}/{path}", columns, lake.storage)
