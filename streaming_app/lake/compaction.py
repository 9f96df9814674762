"""Compaction: merges the small files of a partition, in a commit without data change, which streams skip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from streaming_app.errors import SinkError
from streaming_app.lake.buckets import Bucket, BucketWriter, bucket_of, modulus_for
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import DataFile, by_partition
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.rewrite import read_row_groups
from streaming_app.model.tables import Table

MIN_FILES_SAVED = 4
"""Minimum number of files that a compaction must save: for one or two, the rewrite costs more than readers' requests for them."""

TARGET_BYTES = 128 << 20
"""Maximum size of a merged file, as Athena recommends. A day of an app rarely has more than a few such files."""


@dataclass(frozen=True)
class MergeGroup:
    """Files of a partition that become one file; ``bucket`` is that of the file in a table with buckets."""

    table: Table
    files: list[DataFile]
    bucket: Bucket | None = None


@dataclass(frozen=True)
class Compaction:
    """A partition to be compacted."""

    table: Table
    partition: dict[str, str]
    groups: list[MergeGroup]

    @property
    def replaced(self) -> list[DataFile]:
        """The files that are merged."""
        return [file for group in self.groups for file in group.files]

    @property
    def files(self) -> int:
        return len(self.replaced)

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.replaced)

    @property
    def saved(self) -> int:
        """By how many files the partition has fewer afterwards."""
        return self.files - len(self.groups)

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


def find_compactions(lake: Lake, table: Table) -> list[Compaction]:
    """The partitions of a table that should be compacted, from its log only.

    Raises:
        SinkError: the table does not exist.
    """
    return list(plan_compactions(table, live_files(lake.open(table))))


def plan_compactions(table: Table, files: Iterable[DataFile]) -> Iterator[Compaction]:
    """The partitions in which a compaction would save at least :data:`MIN_FILES_SAVED` files; ``files`` are all of the table."""
    pack = _pack_buckets if table.bucket_by else _pack_by_size
    for values, of_partition in by_partition(files, table.partition_by).items():
        groups = [group for group in pack(table, of_partition) if len(group.files) > 1]
        found = Compaction(table, dict(zip(table.partition_by, values, strict=True)), groups)
        if found.saved >= MIN_FILES_SAVED:
            yield found


def _pack_by_size(table: Table, files: Sequence[DataFile]) -> Iterator[MergeGroup]:
    """Group files, the smallest first, as long as they fit into one."""
    group: list[DataFile] = []
    total = 0
    for file in sorted(files, key=lambda each: (each.size, each.path)):
        if group and total + file.size > TARGET_BYTES:
            yield MergeGroup(table, group)
            group, total = [], 0
        group.append(file)
        total += file.size
    yield MergeGroup(table, group)


def _pack_buckets(table: Table, files: Sequence[DataFile]) -> Iterator[MergeGroup]:
    """Group files by the buckets that a partition of this size needs; a file of a coarser bucket stays."""
    modulus = modulus_for(sum(file.size for file in files), sum(file.rows for file in files))
    groups: dict[int, list[DataFile]] = {}
    for file in files:
        found = bucket_of(file)
        if found.modulus >= modulus:
            groups.setdefault(found.number % modulus, []).append(file)
    return (MergeGroup(table, group, Bucket(modulus, number)) for number, group in groups.items())


def merge_files(lake: Lake, group: MergeGroup) -> list[DataFile]:
    """Write the rows of some files to one file; nothing is committed. Of the rows, a row group is in memory at a time."""

    def rows() -> Iterator[pa.Table]:
        return (each for file in group.files for _, each in read_row_groups(lake, group.table, file))

    if group.bucket is not None:
        buckets = BucketWriter(lake, group.table)
        for each in rows():
            buckets.add(each, group.bucket)
        return buckets.close()
    writer = PartitionWriter(group.table, lake.uri(group.table), lake.storage, "compacted")
    for each in rows():
        writer.add(each)
    return writer.close()


def compact(lake: Lake, due: Compaction) -> CompactionResult:
    """Merge the small files of one partition.

    Raises:
        LockError: this process may no longer write.
        SinkError: the files cannot be read or written; the table is unchanged.
    """
    lake.guard()
    try:
        merged = [file for group in due.groups for file in merge_files(lake, group)]
    except (OSError, pa.ArrowException) as error:
        raise SinkError(
            f"{lake.uri(due.table)}: {due} cannot be compacted: {error}", "what was compacted before stays; repeat it"
        ) from None
    commit(lake, due.table, TableChange([], due.replaced, merged), TransactionId.unique("compact"))
    return CompactionResult(1, due.files, len(merged), due.bytes, sum(file.size for file in merged))
