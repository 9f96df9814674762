"""Upserts rows by copy-on-write with Arrow, without a JVM: files with a replaced row are rewritten, and all others stay.

The other rows of these files are written together with the new rows, bucket by bucket (:mod:`.buckets`), so that frequent changes
do not split a table into ever smaller files. Of the rows that are kept, at most one row group is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.lake.buckets import ALL_IDS, Bucket, BucketWriter, bucket_of, hash_column, modulus_for
from streaming_app.lake.commit import TableChange
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake
from streaming_app.lake.parquet import split_by
from streaming_app.lake.rewrite import add_partition_columns, read_row_groups
from streaming_app.lake.rows import read_columns
from streaming_app.lake.spill import Partition
from streaming_app.model.tables import Table

RowSelector = Callable[[str, pa.Table], pa.ChunkedArray | None]
"""Gets an app id and some columns of its rows; returns which rows match, or None if none of the app can match."""

_COMPRESSION_RATIO = 5
"""Bytes of rows in memory for each stored byte, where no stored row tells."""


@dataclass(frozen=True)
class MatchedFile:
    """A file with matching rows: ``rows`` are the matching ones, ``mask`` is true for them among all rows of the file."""

    file: DataFile
    rows: pa.Table
    mask: pa.Array

    def narrow(self, which: pa.Array) -> MatchedFile:
        """The file with only those of its matching rows where ``which`` is true."""
        return replace(self, rows=self.rows.filter(which), mask=pc.replace_with_mask(self.mask, self.mask, which))


def find_matching_files(
    lake: Lake, table: Table, files: Iterable[DataFile], columns: tuple[str, ...], select: RowSelector
) -> list[MatchedFile]:
    """Find those of some files with rows that ``select`` matches by some columns."""
    found = []
    for file in files:
        mask = select(file.app_id, read_columns(f"{lake.uri(table)}/{file.path}", columns, lake.storage))
        if mask is not None and pc.any(mask).as_py():
            mask = mask.combine_chunks()
            groups = read_row_groups(lake, table, file, mask.fill_null(False).to_numpy(zero_copy_only=False))
            rows = [group.filter(mask.slice(first, len(group))) for first, group in groups]
            found.append(MatchedFile(file, pa.concat_tables(rows), mask))
    return found


def rows_with_key_in(values: dict[str, pa.Array]) -> RowSelector:
    """Selects rows whose first column is one of the values of their app."""

    def select(app_id: str, rows: pa.Table) -> pa.ChunkedArray | None:
        return pc.is_in(rows[0], values[app_id]) if app_id in values else None

    return select


def matching_rows(table: Table, files: Iterable[MatchedFile]) -> pa.Table:
    """The matching rows of all files."""
    return pa.concat_tables([table.schema.empty_table(), *(each.rows for each in files)])


def exclude(files: Iterable[MatchedFile], column: str, values: dict[str, pa.Array]) -> list[MatchedFile]:
    """Exclude rows with some values, by app, from the matching rows of files, so that these rows are not replaced."""
    return [_exclude(each, column, values.get(each.file.app_id)) for each in files]


def _exclude(matched: MatchedFile, column: str, values: pa.Array | None) -> MatchedFile:
    if values is None:
        return matched
    return matched.narrow(pc.invert(pc.is_in(matched.rows[column], values)).combine_chunks())


def write_upsert(
    lake: Lake,
    table: Table,
    files: Sequence[DataFile],
    to_replace: Sequence[MatchedFile],
    new: pa.Table,
    within: Bucket = ALL_IDS,
) -> TableChange:
    """Write ``new`` in place of the matching rows of some files; nothing is committed.

    ``new`` and the matching rows are ids of the bucket ``within``; ``files`` are the table's files that may have such ids. A file
    of a coarser bucket is rewritten in any case, with the ids of ``within`` only: the same is done for each of the buckets
    that together are the file's.
    """
    masks = {each.file.path: each.mask for each in to_replace}
    chosen = [file for file in files if file.path in masks or is_shared(file, within)]
    if not chosen and not len(new):
        return TableChange([], [], [], data_change=True)
    added = split_by(new, table.partition_by)
    moduli = _plan_moduli(table, files, added, within)
    writer = BucketWriter(lake, table)
    # 1. The rows that are kept.
    for file in chosen:
        bucket, modulus = bucket_of(file), moduli[_partition_of(table, file)]
        for first, rows in read_row_groups(lake, table, file):
            kept = rows.filter(pc.invert(masks[file.path].slice(first, len(rows)))) if file.path in masks else rows
            if is_shared(file, within):
                kept = kept.filter(pa.array(within.mask(hash_column(kept, table))))
            _write(writer, kept, max(bucket, within), modulus)
    # 2. The new rows.
    for partition, rows in added:
        _write(writer, add_partition_columns(rows, table, dict(partition)), within, moduli[partition])
    return TableChange(writer.close(), chosen, [], data_change=True)


def is_shared(file: DataFile, within: Bucket) -> bool:
    """Whether a file has ids of other buckets of the modulus as well."""
    return bucket_of(file).modulus < within.modulus


def _write(writer: BucketWriter, rows: pa.Table, bucket: Bucket, modulus: int) -> None:
    """Write rows of a bucket to the buckets of a modulus that is not smaller than its own."""
    if bucket.modulus == modulus:
        writer.add(rows, bucket)
    else:
        writer.divide(rows, modulus)


def _plan_moduli(
    table: Table, files: Sequence[DataFile], added: Iterable[tuple[Partition, pa.Table]], within: Bucket
) -> dict[Partition, int]:
    """The modulus of the buckets to be written, by partition: that of the finest bucket, or more if buckets get too large."""
    moduli: dict[Partition, int] = {}
    stored: dict[Partition, dict[Bucket, _Amount]] = {}
    for file in files:
        partition, bucket = _partition_of(table, file), bucket_of(file)
        moduli[partition] = max(moduli.get(partition, within.modulus), bucket.modulus)
        of_partition = stored.setdefault(partition, {})
        of_partition[bucket] = of_partition.get(bucket, _Amount()).plus(_Amount(file.size, file.rows))
    row_bytes = sum(file.size for file in files) / (sum(file.rows for file in files) or 1)
    of_new = {
        partition: _Amount(len(rows) * (row_bytes or rows.nbytes / len(rows) / _COMPRESSION_RATIO), len(rows))
        for partition, rows in added
    }
    for partition in moduli | of_new:
        modulus = moduli.get(partition, within.modulus)
        largest = max(
            (each.times(bucket.modulus / modulus) for bucket, each in stored.get(partition, {}).items()), default=_Amount()
        )
        most = largest.plus(of_new.get(partition, _Amount()).times(within.modulus / modulus))
        moduli[partition] = modulus * modulus_for(most.bytes, most.rows)
    return moduli


class _Amount(NamedTuple):
    """Stored bytes and rows."""

    bytes: float = 0.0
    rows: float = 0.0

    def plus(self, other: _Amount) -> _Amount:
        return _Amount(self.bytes + other.bytes, self.rows + other.rows)

    def times(self, factor: float) -> _Amount:
        return _Amount(self.bytes * factor, self.rows * factor)


def _partition_of(table: Table, file: DataFile) -> Partition:
    return tuple((name, file.partition[name]) for name in table.partition_by)


def values_by_app(rows: pa.Table, column: str) -> dict[str, pa.Array]:
    """The distinct values of a column in each app."""
    return {
        app_id: pc.unique(rows.filter(pc.equal(rows["app_id"], app_id))[column])
        for app_id in pc.unique(rows["app_id"]).to_pylist()
    }
