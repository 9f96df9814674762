"""Finding the stored rows that come from some raw files, on whatever day they are.

Events that are always fresh, and those that other rules let in before, may lie on any day: so all files of a table are asked,
but by their receive times first, a column that takes a byte or two a row. The lineage is read only of files with a row that was
received while the raw files were, or whose receive time is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.ingest.commit.task_runner import TaskRunner
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rows import RowMask, lineage_columns, read_columns
from streaming_app.model.arrow import as_epoch_ms
from streaming_app.model.lineage import read_source_files
from streaming_app.model.tables import RUN_METRICS, TABLES, Table
from streaming_app.model.times import LATEST_MS
from streaming_app.spark.tasks import SizedFile

_RECEIVED = "ingest_time_msec"
_LINEAGE_SHARE = 8
"""Of a file's bytes the lineage is no more than one in so many."""

_SECONDS_PER_BYTE = 5e-7
"""CPU-seconds to search a byte of lineage."""


@dataclass(frozen=True)
class AffectedFiles:
    """Raw files by the names that stored rows have of them, and when the first and the last of their requests were received
    at most, epoch ms."""

    raw_files: frozenset[str]
    first_ms: int
    last_ms: int


def find_affected_files(shadow: Lake, raw_files: Iterable[str], first_ms: int, last_ms: int) -> AffectedFiles:
    """The raw files that a shadow was made from; the span in which they can have been received is widened by the receive times
    of their requests."""
    for file in live_files(shadow.open(RUN_METRICS)):
        names = ("first_ingest_time", "last_ingest_time")
        rows = read_columns(f"{shadow.uri(RUN_METRICS)}/{file.path}", names, shadow.storage)
        first, last = (as_epoch_ms(rows[name]) for name in names)
        first_ms = min(first_ms, pc.min(first).as_py() or first_ms)
        last_ms = max(last_ms, pc.max(last).as_py() or last_ms)
    return AffectedFiles(frozenset(raw_files), first_ms, last_ms)


def find_affected_rows(
    table: Table, files: Sequence[DataFile], affected: AffectedFiles, lake: Lake, runner: TaskRunner
) -> dict[str, RowMask]:
    """Find the rows of the raw files: a mask for each file that has some, by its path."""
    root = lake.uri(table)
    by_uri = {f"{root}/{file.path}": file for file in files}
    sized = [SizedFile(uri, file.size // _LINEAGE_SHARE) for uri, file in by_uri.items()]
    work = partial(_search, table.name, affected, lake.for_workers)
    found = runner.run(sized, lambda file: file.size * _SECONDS_PER_BYTE, work) if affected.raw_files else ()
    masks = (msgspec.msgpack.decode(each, type=tuple[str, bytes]) for each in found)
    return {
        by_uri[uri].path: np.unpackbits(np.frombuffer(bits, np.uint8), count=by_uri[uri].rows).astype(bool) for uri, bits in masks
    }


def _search(table: str, affected: AffectedFiles, lake: Lake, group: list[SizedFile]) -> Iterator[bytes]:
    """Run in each task: yields path and mask of the files that hold rows of the raw files."""
    names = pa.array(sorted(affected.raw_files), pa.string())
    for file in group:
        if _may_hold(TABLES[table], file, affected, lake):
            mask = _mask(file, names, lake)
            if mask.any():
                yield msgspec.msgpack.encode((file.uri, np.packbits(mask).tobytes()))


def _may_hold(table: Table, file: SizedFile, affected: AffectedFiles, lake: Lake) -> bool:
    if _RECEIVED not in table.schema.names:
        return True
    system, path = lake.storage.filesystem(file.uri)
    with pq.ParquetFile(path, filesystem=system, pre_buffer=True) as parquet:
        if _RECEIVED not in parquet.schema_arrow.names:  # an older layout did not have it
            return True
        column = parquet.read(columns=[_RECEIVED])[_RECEIVED]
    # A time that is none is in no count of a batch.
    known = pc.and_(pc.greater(column, 0), pc.less_equal(column, LATEST_MS))
    outside = pc.or_(pc.less(column, affected.first_ms), pc.greater(column, affected.last_ms))
    return not pc.all(pc.fill_null(pc.and_(known, outside), False)).as_py()


def _mask(file: SizedFile, names: pa.Array, lake: Lake) -> RowMask:
    system, path = lake.storage.filesystem(file.uri)
    masks = [np.zeros(0, bool)]
    with pq.ParquetFile(path, filesystem=system, pre_buffer=True) as parquet:
        columns = lineage_columns(parquet)
        for group in range(parquet.num_row_groups):
            here = pc.is_in(read_source_files(parquet.read_row_group(group, columns=columns)), names)
            masks.append(here.to_numpy())
    return np.concatenate(masks)
