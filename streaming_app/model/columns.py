"""The definition of a table's column: type, meaning and limits, from which schemas and documentation are derived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pyarrow as pa

from streaming_app.model.times import DAY_MS, LATEST_MS

ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    # UTC and zone-aware, in microseconds: a naive timestamp would enable a table feature that Athena may not read.
    "timestamp": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's contract.

    ``type`` is a key of :data:`ARROW_TYPES` (Spark SQL and Athena spell them alike), or of a struct its ``fields``, spelled as
    there; ``max_bytes`` is the longest UTF-8 text kept; ``is_json`` marks text that must stay parseable when it is shortened;
    ``stats`` asks for min and max in the Delta log (only for what people filter by). A number outside of ``bounds``, both
    included, is null, or the nearer bound where it ``is_clamped``.
    """

    type: str
    meaning: str
    max_bytes: int | None = None
    is_json: bool = False
    stats: bool = False
    name: str = ""
    bounds: tuple[int, int] | None = None
    is_clamped: bool = False
    fields: tuple[Column, ...] = ()

    @property
    def arrow(self) -> pa.DataType:
        if self.fields:
            return pa.struct([(each.name, each.arrow) for each in self.fields])
        return ARROW_TYPES[self.type]


def text(meaning: str, max_bytes: int = 255, *, stats: bool = False) -> Column:
    """A string cut to ``max_bytes`` of UTF-8 (limits: those of the reference system's tables)."""
    return Column("string", meaning, max_bytes=max_bytes, stats=stats)


def json_text(meaning: str, max_bytes: int = 65_535) -> Column:
    """JSON as text; when longer than ``max_bytes`` its largest values are dropped, so it always parses."""
    return Column("string", meaning, max_bytes=max_bytes, is_json=True)


def bigint(meaning: str, *, stats: bool = False) -> Column:
    return Column("bigint", meaning, stats=stats)


def time_ms(meaning: str) -> Column:
    """A time by any clock, epoch ms; null if it is outside of 1970 to 2199."""
    return Column("bigint", meaning, bounds=(0, LATEST_MS))


def duration_ms(meaning: str) -> Column:
    """A duration that a client measured, ms; a negative one is 0, one longer than a day is a day."""
    return Column("bigint", meaning, bounds=(0, DAY_MS), is_clamped=True)


def integer(meaning: str) -> Column:
    return Column("int", meaning)


def double(meaning: str) -> Column:
    return Column("double", meaning)


def boolean(meaning: str) -> Column:
    return Column("boolean", meaning)


def timestamp(meaning: str, *, stats: bool = False) -> Column:
    return Column("timestamp", meaning, stats=stats)


def date(meaning: str, *, stats: bool = False) -> Column:
    return Column("date", meaning, stats=stats)


def struct(meaning: str, *fields: Column) -> Column:
    """Several values in one column, each by its name; all of them may be null."""
    return Column(f"struct<{','.join(f'{each.name}:{each.type}' for each in fields)}>", meaning, fields=fields)


def columns_of(struct: type[Any]) -> Iterator[Column]:
    """The columns that a typed row class declares with ``Annotated[…, column]``, in order; other fields are transient."""
    for name, hint in get_type_hints(struct, include_extras=True).items():
        if get_origin(hint) is Annotated:
            yield from (replace(meta, name=name) for meta in get_args(hint)[1:] if isinstance(meta, Column))
