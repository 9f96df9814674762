"""Which partitions have too many small files, told from a table's log alone; and what deltalake makes of them.

The rule: a partition is due if a compaction would leave it with at least :data:`WORTHWHILE` files fewer. How many it would
leave is known beforehand, because deltalake's plan is a simple one: it takes the files of a partition in the order of the log,
passes over those larger than the target, and merges neighbours for as long as they fit into it. So a partition whose small
files lie apart, which no compaction can merge, is never due, and one that was compacted is not due again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from deltalake import ColumnProperties, WriterProperties

from streaming_app.lake.files import LiveFile
from streaming_app.lake.parquet import COMPRESSION, COMPRESSION_LEVEL, ROW_GROUP_ROWS, UNIQUE
from streaming_app.model.tables import ITEM_ATTRIBUTES, SESSION, USER, Table

WORTHWHILE = 4
"""Files that a compaction must save: for one or two, what is rewritten costs more than a reader's requests for them."""

APPENDED_TARGET = 128 << 20
"""Bytes of a file where rows are only added: what Athena recommends. One day of an app is rarely more than a few of them."""

UPSERTED_TARGET = 32 << 20
"""Bytes of a file where rows are replaced: a run holds each file in memory (about eight times its size) that has one of its
users, and writes it again."""

_FEW_ROWS = 1_024
"""Rows of a row group where each may have a megabyte of text: whoever rewrites the file holds a row group in memory."""

_UPSERTED = frozenset({USER.name, SESSION.name, ITEM_ATTRIBUTES.name})


@dataclass(frozen=True)
class Compaction:
    """A partition that is due: ``files`` of ``bytes`` would be read and merged into ``saved`` fewer ones."""

    table: Table
    partition: dict[str, str]
    files: int
    bytes: int
    saved: int

    def __str__(self) -> str:
        return f"{self.table.name}{''.join(f' {name}={value}' for name, value in self.partition.items())}"

    @property
    def filters(self) -> list[tuple[str, str, str]]:
        """The partition as deltalake is asked for it."""
        return [(name, "=", value) for name, value in self.partition.items()]


@dataclass
class _Bin:
    files: int = 0
    bytes: int = 0


@dataclass
class _Plan:
    """deltalake's plan for one partition, file by file."""

    target: int
    bins: list[_Bin] = field(default_factory=list)
    at_hand: _Bin = field(default_factory=_Bin)

    def take(self, size: int) -> None:
        if self.at_hand.files and (size > self.target or self.at_hand.bytes + size > self.target):
            self._close()
        if size <= self.target:
            self.at_hand.files += 1
            self.at_hand.bytes += size

    def merged(self) -> list[_Bin]:
        """What is merged: a file alone stays as it is."""
        return [each for each in (*self.bins, self.at_hand) if each.files > 1]

    def _close(self) -> None:
        self.bins.append(self.at_hand)
        self.at_hand = _Bin()


def due(table: Table, files: Iterable[LiveFile], target: int) -> Iterator[Compaction]:
    """The partitions to be compacted; ``files`` are all of the table in the order of its log."""
    plans: dict[tuple[tuple[str, str], ...], _Plan] = {}
    for file in files:
        partition = tuple((name, file.partition[name]) for name in table.partition_by)
        plans.setdefault(partition, _Plan(target)).take(file.size)
    for partition, plan in sorted(plans.items()):
        merged = plan.merged()
        count = sum(each.files for each in merged)
        if count - len(merged) >= WORTHWHILE:
            yield Compaction(table, dict(partition), count, sum(each.bytes for each in merged), count - len(merged))


def target_of(table: Table) -> int:
    """Bytes that a compacted file of a table is to have at most."""
    return UPSERTED_TARGET if table.name in _UPSERTED else APPENDED_TARGET


def writer_properties(table: Table) -> WriterProperties:
    """Parquet as our own writer makes it, as far as deltalake offers."""
    columns = {
        name: _column(dictionary=name not in UNIQUE, statistics=name in table.stats_columns)
        for name in table.file_schema.names
        if name in UNIQUE or name in table.stats_columns
    }
    return WriterProperties(
        compression=COMPRESSION,
        compression_level=COMPRESSION_LEVEL,
        max_row_group_size=_FEW_ROWS if table.unbounded_columns else ROW_GROUP_ROWS,
        default_column_properties=_column(dictionary=True, statistics=False),
        column_properties=columns,
    )


def _column(*, dictionary: bool, statistics: bool) -> ColumnProperties:
    return ColumnProperties(dictionary_enabled=dictionary, statistics_enabled="CHUNK" if statistics else "NONE")
