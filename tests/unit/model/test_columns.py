"""A column holds what fits it: text is cut between characters, JSON stays JSON and says what was left out, anything else that
does not fit is null; and the tables' contract is complete, in the order that queries know.
"""

from __future__ import annotations

import json
import time
from datetime import date
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pyarrow as pa
import pytest

from streaming_app.model.arrow import drop_largest, to_columns
from streaming_app.model.column_limits import fit_json
from streaming_app.model.columns import Column, bigint, boolean, columns_of, double, integer, json_text, text
from streaming_app.model.event import REQUIRED, Event
from streaming_app.model.item import Item
from streaming_app.model.lineage import LINEAGE
from streaming_app.model.tables import EVENT, ITEM, TABLES, Table
from tests.support.lake import LocalPipeline
from tests.support.raw import NOW, event, line, write

LONG = 10**400

# name: (column, values as a transformer may give them, what is in the column)
FITTED: dict[str, tuple[Column, list[Any], list[Any]]] = {
    "text that fits": (text("", 3), ["", "abc", None], ["", "abc", None]),
    "text that is cut": (text("", 3), ["abcd", "ab", None, "xyz1"], ["abc", "ab", None, "xyz"]),
    "two bytes at the limit": (text("", 3), ["añb", "aañ"], ["añ", "aa"]),
    "three bytes at the limit": (text("", 3), ["€€", "a€", "aa€"], ["€", "a", "aa"]),
    "four bytes at the limit": (text("", 4), ["😀😀", "a😀"], ["😀", "a"]),
    "JSON is not cut": (json_text("", 3), ['{"a":1}'], ['{"a":1}']),
    "other values as text": (text(""), ["a", 5, 1.5, True, [1], {"x": None}], ["a", "5", "1.5", "true", "[1]", '{"x":null}']),
    "lone surrogates": (text(""), ["ok", "a\ud800b"], ["ok", "a?b"]),
    "32 bits": (integer(""), [2**31 - 1, 2**31, -(2**31), -(2**31) - 1, None, 7], [2**31 - 1, None, -(2**31), None, None, 7]),
    "64 bits": (bigint(""), [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, LONG, 7], [2**63 - 1, None, -(2**63), None, None, 7]),
    "integers in other types": (bigint(""), [1, "2", " 3 ", 4.9, "-5.9", True, "six", [7]], [1, 2, 3, 4, -5, None, None, None]),
    "not finite integers": (bigint(""), [1, float("nan"), float("inf"), "1e30", "1e400"], [1, None, None, None, None]),
    "doubles in other types": (double(""), [1, "2.5", "1e3", 2**60, LONG, True, "six"], [1.0, 2.5, 1000.0, 2.0**60, None, None, None]),
    "booleans in other types": (boolean(""), [True, 0, 1, "FALSE", "1", 2, "yes", []], [True, False, True, False, True, None, None, None]),
}  # fmt: skip


@pytest.mark.parametrize("case", FITTED)
def test_values_in_their_column(case: str) -> None:
    column, values, expected = FITTED[case]
    [array, beside] = to_columns([(value, number) for number, value in enumerate(values)], [column, bigint("")])
    assert (array.type, array.to_pylist()) == (column.arrow, expected)
    assert beside.to_pylist() == list(range(len(values)))


def test_a_value_that_does_not_fit_leaves_its_neighbours(tmp_path: Path) -> None:
    """All the way from a raw file: the other rows keep the value, the other columns of the same row too."""
    sent = [event("fits", screen_width=1), event("too large", screen_width=2**40, screen_height=2), event("also", screen_width=3)]
    pipeline = LocalPipeline(tmp_path)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(*sent)))
    rows = pipeline.query("SELECT event_id, device_screen_width w, device_screen_height h FROM event ORDER BY 1").to_pylist()
    assert [tuple(row.values()) for row in rows] == [("also", 3, None), ("fits", 1, None), ("too large", None, 2)]


def json_of(**sizes: int) -> str:
    """A JSON object of texts of these lengths."""
    return msgspec.json.encode({name: "x" * size for name, size in sizes.items()}).decode()


# name: (JSON text, most bytes, names dropped in order)
DROPPED: dict[str, tuple[str, int, list[str]]] = {
    "fits exactly": (json_of(a=5), 13, []),
    "one byte too long": (json_of(a=5, b=1), 20, ["a"]),
    "only the largest": (json_of(a=5, b=50, c=5), 40, ["b"]),
    "the largest of what is left": (json_of(a=50, b=60, c=5), 40, ["b", "a"]),
    "whole objects": ('{"a":{"b":"xxxxxxxxxxxxxxxxxxxx"},"c":1}', 20, ["a"]),
    "bytes, not characters": ('{"a":"ééééé","b":"xxxxxx"}', 20, ["a"]),
    "everything": (json_of(a=5), 5, ["a"]),
    "a long name": (json.dumps({"n" * 300: 1, "b": "xx"}, separators=(",", ":")), 50, ["b", "n" * 300]),
}


@pytest.mark.parametrize("case", DROPPED)
def test_json_that_is_too_long(case: str) -> None:
    sent, most, names = DROPPED[case]
    kept, dropped = drop_largest(sent, most)
    assert (json.loads(kept), dropped) == ({key: value for key, value in json.loads(sent).items() if key not in names}, names)
    assert len(kept.encode()) <= most


def named(*dropped: str) -> dict[str, Any]:
    """How ``process_info`` tells of values that were dropped."""
    return {"count": len(dropped), "names": list(dropped)}


def test_what_json_lost_is_told_in_its_own_row() -> None:
    columns = (Column("string", "", 30, is_json=True, name="a"), Column("string", "", 30, is_json=True, name="b"))
    table = {
        "a": pa.array([json_of(x=5), json_of(x=5, y=50), None, json_of(y=40)]),
        "b": pa.array([json_of(x=5), json_of(z=30), json_of(z=30), None]),
        "process_info": pa.array(['{"rid":"0"}', '{"rid":"1"}', '{"rid":"2"}', None]),
    }
    before = {name: array.to_pylist() for name, array in table.items()}
    fit_json(table, (*columns, Column("string", "", 65_535, is_json=True, name="process_info")))
    assert table["a"].to_pylist() == [before["a"][0], json_of(x=5), None, "{}"]
    assert table["b"].to_pylist() == [before["b"][0], "{}", "{}", None]
    assert [json.loads(info) for info in table["process_info"].to_pylist()] == [
        {"rid": "0"},
        {"rid": "1", "dropped": {"a": named("y"), "b": named("z")}},
        {"rid": "2", "dropped": {"b": named("z")}},
        {"dropped": {"a": named("y")}},
    ]


def test_long_json_from_raw_file_to_table(tmp_path: Path) -> None:
    sent = event("e", attributes={"small": 1, "large": "é" * 40_000})
    pipeline = LocalPipeline(tmp_path)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(sent, event("other", attributes={"small": 2}))))
    rows = pipeline.query("SELECT custom_parameters_json_str c, process_info p FROM event ORDER BY event_id").to_pylist()
    assert [json.loads(row["c"]) for row in rows] == [{"small": 1}, {"small": 2}]
    dropped = [json.loads(row["p"]).get("dropped") for row in rows]
    assert dropped == [{"custom_parameters_json_str": named("large")}, None]


def test_of_many_dropped_values_some_are_named() -> None:
    sent = {f"{number:04}" + "é" * 200: "x" * 50 for number in range(1_000)}
    table = {"a": pa.array([json.dumps(sent)]), "process_info": pa.array(["{}"])}
    fit_json(table, (Column("string", "", 1_000, is_json=True, name="a"),))
    [info] = table["process_info"].to_pylist()
    told = json.loads(info)["dropped"]["a"]
    assert told["count"] + len(json.loads(table["a"][0].as_py())) == 1_000
    assert len(info) < 10_000
    assert told["names"][0] == "0000" + "é" * 125


def test_many_small_values_are_dropped_in_no_time() -> None:
    """One event of 0.2 MB, a fiftieth of what a payload may be."""
    sent = msgspec.json.encode({f"key{number:07}": number for number in range(12_000)}).decode()
    began = time.process_time()
    kept, dropped = drop_largest(sent, 65_535)
    assert time.process_time() - began < 0.3
    assert len(kept) <= 65_535
    assert len(json.loads(kept)) + len(dropped) == 12_000


def test_lineage_has_a_limit_too(tmp_path: Path) -> None:
    """A value that could not be read is kept there, but not whatever its length; where the event came from always is."""
    pipeline = LocalPipeline(tmp_path)
    pipeline.ingest(
        write(tmp_path / "raw", "a.gz", line(event("e", screen_width="w" * 100_000), event("other", screen_width="w")))
    )
    infos = [row["process_info"] for row in pipeline.query("SELECT process_info FROM event ORDER BY event_id").to_pylist()]
    assert max(map(len, infos)) <= 65_535
    assert [json.loads(info)["rid"] for info in infos] == ["r-1", "r-1"]
    assert json.loads(infos[1])["unreadable"] == {"screen_width": "w"}


def names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def test_event_is_what_transformers_yield_and_what_the_job_adds() -> None:
    declared = [column.name for column in columns_of(Event)]
    assert names(EVENT) == ["event_timestamp", *declared, *LINEAGE, "created_time", "event_date", "year", "month", "day"]
    assert set(Event.__struct_fields__) - set(declared) == {
        "ua",
        "ip",
        "client_hints",
        "upload_time_msec",
        "items",
        "position",
        "notes",
        "is_derived",
    }
    assert declared == [name for name in Event.__struct_fields__ if name in declared]
    assert set(REQUIRED) <= set(declared)


def test_item_has_what_transformers_yield_and_its_event() -> None:
    declared = [column.name for column in columns_of(Item)]
    assert declared == list(Item.__struct_fields__)
    assert [name for name in names(ITEM) if name in declared] == declared
    shared = [column for column in ITEM.columns if column.name in set(names(EVENT)) - set(declared)]
    assert shared == [column for wanted in shared for column in EVENT.columns if column.name == wanted.name]
    assert {"event_timestamp", "event_id", "event_name", "app_id", "user_pseudo_id", "process_info"} <= {c.name for c in shared}


FIRST = ("event_timestamp", "event_id", "event_time_msec", "event_name", "event_value", "event_value_currency")
KINDS = {str: {"string"}, int: {"bigint", "int"}, float: {"double"}, bool: {"boolean"}}


@pytest.mark.parametrize("struct", [Event, Item])
def test_a_column_has_the_type_of_its_field(struct: type[msgspec.Struct]) -> None:
    kinds = {name: get_args(hint)[0] for name, hint in get_type_hints(struct).items() if get_args(hint)}
    assert [column.name for column in columns_of(struct) if column.type not in KINDS[kinds[column.name]]] == []


def test_event_begins_as_people_know_it() -> None:
    assert tuple(names(EVENT)[: len(FIRST)]) == FIRST


PARTITIONS = {
    "event": ("app_id", "year", "month", "day"),
    "item": ("app_id", "year", "month", "day"),
    "change": ("app_id", "year", "month", "day"),
    "user": ("app_id",),
    "session": ("app_id", "start_date"),
    "item_attributes": ("app_id",),
    "quarantine": (),
    "run_metrics": (),
    "operation": (),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
class TestContract:
    """What holds for every table."""

    def test_columns(self, table: Table) -> None:
        assert len(set(names(table))) == len(table.columns)
        assert [column.name for column in table.columns if not column.meaning.strip()] == []
        assert table.meaning
        assert table.schema.names == names(table)

    def test_partitions_and_key(self, table: Table) -> None:
        assert table.partition_by == PARTITIONS[table.name]
        assert set(table.partition_by) | set(table.key) <= set(names(table))
        assert [name for name in names(table) if name not in table.file_schema.names] == [
            name for name in names(table) if name in table.partition_by
        ]
        assert all(table.schema.field(field.name).equals(field) for field in table.file_schema)

    def test_limits_and_statistics(self, table: Table) -> None:
        limited = {column.name for column in table.columns if column.max_bytes is not None}
        texts = {column.name for column in table.columns if column.type == "string"}
        # Quarantine's own limit is in the configuration.
        assert texts - limited == ({"raw", "envelope"} if table.name == "quarantine" else set())
        assert limited <= texts
        assert {column.name for column in table.columns if column.is_json} <= limited
        assert set(table.stats_columns) <= set(table.file_schema.names)

    def test_times_are_in_utc(self, table: Table) -> None:
        """A naive timestamp would switch on a table feature that Athena may not read."""
        times = [field.type for field in table.schema if pa.types.is_timestamp(field.type)]
        assert times
        assert set(times) == {pa.timestamp("us", tz="UTC")}


def test_what_is_written_is_the_contract(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", b"broken", line(event("e", items=[{"id": "i"}]))))
    for name in ("event", "item", "quarantine", "run_metrics"):
        assert pipeline.query(f'SELECT * FROM "{name}"').schema.names == TABLES[name].schema.names
    [row] = pipeline.rows("event")
    assert (row["year"], row["month"], row["day"], row["event_time_msec"]) == (2026, 5, 28, NOW - 1_000)
    assert row["event_date"] == date(2026, 5, 28)
