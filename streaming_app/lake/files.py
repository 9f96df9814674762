"""Data files of a Delta table, before and after their commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import msgspec


class DataFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A Parquet file of a table: written by a task, or committed. ``path`` is relative to the table, ``size`` is in bytes."""

    path: str
    partition: dict[str, str]
    size: int
    rows: int = 0
    table: str = ""
    """Name of the table, for a file that is not committed yet."""
    stats: str = ""
    """Statistics in Delta's JSON format, for a file that is not committed yet."""
    min_values: dict[str, Any] = msgspec.field(default_factory=dict)
    """Minimum by column from the log, for a committed file; columns without statistics are missing or None."""
    max_values: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def app_id(self) -> str:
        """The app, for tables that are partitioned by app."""
        return self.partition["app_id"]

    @property
    def day(self) -> date:
        """The day, for tables that are partitioned by year, month and day."""
        return date(int(self.partition["year"]), int(self.partition["month"]), int(self.partition["day"]))


def by_partition(files: Iterable[DataFile], names: Sequence[str]) -> dict[tuple[str, ...], list[DataFile]]:
    """Files by the values of their partition, in ascending order; ``names`` are the columns that a table is partitioned by."""
    found: dict[tuple[str, ...], list[DataFile]] = {}
    for file in files:
        found.setdefault(tuple(file.partition[name] for name in names), []).append(file)
    return dict(sorted(found.items()))
