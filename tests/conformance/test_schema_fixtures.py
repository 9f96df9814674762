"""The contract of our tables has every column of the reference system's, in the same type."""

from __future__ import annotations

import pyarrow as pa
import pytest

from streaming_app.model.tables import TABLES, Table

from .fixture_files import load_json, skip_without_recorded_cases

skip_without_recorded_cases()

_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "long": pa.int64(),
    "integer": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
"""Spark's names of types."""

_MAPS_AS_JSON_TEXT = {
    "event_v2": {"process_info", "device_ua", "page_view_page_url_query_parameters"},
    "item_v2": {"process_info"},
    "user_v2": {"process_info"},
    "session": {"process_info"},
}
_MAPS_NOT_KEPT = {
    "event_v2": {"custom_parameters"},
    "item_v2": {"custom_parameters"},
    "user_v2": {"user_properties"},
    "session": set(),
}
_INTERNAL = {"event_v2": {"ua", "ip"}, "item_v2": set(), "user_v2": {"event_name"}}
"""In the internal schemas only: removed before the reference writes."""
_PARTITIONS = {"partition_app": "app_id", "partition_year": "year", "partition_month": "month", "partition_day": "day"}
_PARTITIONS_OF = {
    "event_v2": _PARTITIONS,
    "item_v2": _PARTITIONS,
    "user_v2": {"partition_app": "app_id"},
    "session": {"partition_app": "app_id", "partition_day": "start_date"},
}
"""What the reference's partition columns (of the day of event_timestamp in all tables) have become."""


def _columns(path: str) -> dict[str, str]:
    """Recorded columns with their type's name; ``map`` for any map."""
    fields = load_json(path)["fields"]
    return {field["name"]: field["type"] if isinstance(field["type"], str) else field["type"]["type"] for field in fields}


def _table(name: str) -> Table:
    return TABLES[name.removesuffix("_v2")]


def _wrong_columns(name: str, recorded: dict[str, str]) -> list[str]:
    schema, wrong = _table(name).schema, []
    for column, kind in recorded.items():
        wanted = pa.string() if kind == "map" and column in _MAPS_AS_JSON_TEXT[name] else _TYPES.get(kind)
        ours = schema.field(column).type if column in schema.names else None
        if wanted is None or ours != wanted:
            wrong.append(f"{column}: {kind} should be {wanted}, is {ours}")
    return wrong


@pytest.mark.parametrize("name", ["event_v2", "item_v2", "user_v2", "session"])
def test_written_columns(name: str) -> None:
    recorded = _columns(f"schema/expected/{name}_parquet_schema.json")
    exceptions = _MAPS_NOT_KEPT[name] | _PARTITIONS.keys()
    assert exceptions <= recorded.keys(), "an exception that is none"
    assert not _wrong_columns(name, {column: kind for column, kind in recorded.items() if column not in exceptions})
    assert set(_PARTITIONS_OF[name].values()) <= set(_table(name).partition_by)


@pytest.mark.parametrize("name", ["event_v2", "item_v2", "user_v2"])
def test_internal_columns(name: str) -> None:
    """sdk-01, -03, -04: the schemas before the reference removes its internal columns, app_id among them."""
    recorded = _columns(f"schema/expected/schema-{name}.json")
    exceptions = _MAPS_NOT_KEPT[name] | _INTERNAL[name]
    assert exceptions <= recorded.keys(), "an exception that is none"
    assert not _wrong_columns(name, {column: kind for column, kind in recorded.items() if column not in exceptions})


@pytest.mark.parametrize("name", ["event_v2", "item_v2", "user_v2", "session"])
def test_names_are_in_the_reference_order(name: str) -> None:
    """``SELECT *`` of both systems can be read side by side."""
    ours = _table(name).schema.names
    recorded = list(_columns(f"schema/expected/{name}_parquet_schema.json"))
    assert [column for column in ours if column in recorded] == [column for column in recorded if column in ours]
