"""Data files of a Delta table, before and after their commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec


class WrittenFile(msgspec.Struct, frozen=True):
    """A Parquet file that is not committed yet; ``path`` is relative to its table, ``stats`` is Delta's JSON."""

    table: str
    path: str
    partition: dict[str, str]
    size: int
    rows: int
    stats: str

    @property
    def day(self) -> date:
        """Of tables that are partitioned by year, month and day."""
        return _day(self.partition)


@dataclass(frozen=True)
class LiveFile:
    """A data file of a table's newest version; ``path`` is relative to the table; ``least``, ``most`` and ``rows`` are
    statistics."""

    path: str
    partition: dict[str, str]
    size: int
    least: dict[str, Any] = field(default_factory=dict)
    most: dict[str, Any] = field(default_factory=dict)
    rows: int = 0

    @property
    def day(self) -> date:
        """Of tables that are partitioned by year, month and day."""
        return _day(self.partition)


def _day(partition: dict[str, str]) -> date:
    return date(int(partition["year"]), int(partition["month"]), int(partition["day"]))


AnyFile = WrittenFile | LiveFile
