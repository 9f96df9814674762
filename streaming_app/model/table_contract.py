"""The contract of a table, and what several tables have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from streaming_app.model.columns import Column, columns_of, timestamp
from streaming_app.model.event import Event


@dataclass(frozen=True)
class Table:
    """A Delta table: ``key`` is what makes a row unique (empty for append-only logs); ``bucket_by`` is the id by whose hash the
    files of a partition are divided (empty for tables whose rows are not replaced)."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    bucket_by: str = ""

    @cached_property
    def schema(self) -> pa.Schema:
        """Arrow schema of a whole row."""
        return pa.schema([pa.field(column.name, column.arrow) for column in self.columns])

    @cached_property
    def file_schema(self) -> pa.Schema:
        """Arrow schema of a data file: partition values are in the Delta log only."""
        return pa.schema([field for field in self.schema if field.name not in self.partition_by])

    @cached_property
    def stats_columns(self) -> tuple[str, ...]:
        """Columns with min and max in the Delta log: only those that queries filter by, because statistics have a cost."""
        return tuple(column.name for column in self.columns if column.stats)

    @cached_property
    def unbounded_columns(self) -> frozenset[str]:
        """Text columns that the contract does not limit: raw text and envelopes of requests."""
        return frozenset(column.name for column in self.columns if column.type == "string" and column.max_bytes is None)


def with_names(**columns: Column) -> tuple[Column, ...]:
    """Columns by their names."""
    return tuple(replace(column, name=name) for name, column in columns.items())


def some_of(struct: type[Any], *names: str) -> tuple[Column, ...]:
    """Some columns of a typed row."""
    known = {column.name: column for column in columns_of(struct)}
    return tuple(known[name] for name in names)


def of_event(*names: str) -> tuple[Column, ...]:
    """Columns of ``event`` that another table repeats."""
    return some_of(Event, *names)


CREATED = with_names(created_time=timestamp("when the micro-batch that wrote the row began, UTC"))
