"""A user or an item whose rows cannot be computed is set aside by name; the others are processed, and a replay computes it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.commands import replay
from streaming_app.commands.check.check_tables import check_tables
from streaming_app.commands.replay import QuarantineFilter
from streaming_app.derive.isolate import SetAside, compute_isolated, drop_failed
from streaming_app.errors import SinkError
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.lake import live_files
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.rewrite import read_row_groups
from streaming_app.metrics.progress import LogProgress
from streaming_app.model.tables import CHANGE, EVENT, Table
from tests.support.lake import LocalPipeline
from tests.support.raw import event, line, write
from tests.support.sources import APPS
from tests.support.upkeep import QUIET, derived

ROWS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["u", "v", "w", "x", None, ""]), st.integers(0, 9)), max_size=20)


@given(rows=ROWS, bad=st.sets(st.tuples(st.sampled_from("ab"), st.sampled_from("uvwx"))))
def test_only_what_fails_is_set_aside(rows: list[tuple[str, str | None, int]], bad: set[tuple[str, str]]) -> None:
    def double(table: pa.Table) -> pa.Table:
        if bad & set(zip(table["app_id"].to_pylist(), table["user_pseudo_id"].to_pylist(), strict=True)):
            raise ArithmeticError("one of them")
        return table.set_column(2, "n", pc.multiply(table["n"], 2))

    names = ("app_id", "user_pseudo_id", "n")
    table = pa.table(
        [pa.array([row[at] for row in rows], kind) for at, kind in enumerate((pa.string(), pa.string(), pa.int64()))], names
    )
    made, failed = compute_isolated(double, table)
    found = sorted(pa.concat_tables(made).to_pylist() if made else [], key=str)
    there = bad & {(app_id, user) for app_id, user, _ in rows if user}
    assert found == sorted(({"app_id": a, "user_pseudo_id": u, "n": 2 * n} for a, u, n in rows if (a, u) not in there), key=str)
    assert {(each.app_id, each.id) for each in failed} == there
    assert {each.error for each in failed} <= {"ArithmeticError"}
    assert len(drop_failed(table, failed)) == len(found)


@pytest.mark.parametrize("error", [SinkError("the disk is full"), ArithmeticError("without a user")])
def test_errors_not_caused_by_a_key_are_raised(error: Exception) -> None:
    def fail(_: pa.Table) -> pa.Table:
        raise error

    with pytest.raises(type(error)):
        compute_isolated(
            fail, pa.table({"app_id": ["a"], "user_pseudo_id": [None if isinstance(error, ArithmeticError) else "u"]})
        )


def spoil(pipeline: LocalPipeline, table: Table, column: str, text: str, app_id: str) -> None:
    """Write a text into an app's stored rows that no version of the application would have written there."""
    for file in live_files(pipeline.lake.open(table)):
        if file.partition["app_id"] == app_id:
            writer = PartitionWriter(table, pipeline.lake.uri(table), pipeline.lake.storage, "spoilt")
            for _, rows in read_row_groups(pipeline.lake, table, file):
                texts = pa.array([text] * len(rows), pa.string())
                writer.add(rows.set_column(rows.column_names.index(column), table.schema.field(column), texts))
            commit(pipeline.lake, table, TableChange(writer.close(), [file], []), TransactionId.unique("spoil"))


BAD, GOOD = "shop", "web-gtm"
LINES = [
    line(event("a", event_type="_profile_set", user={"tier": {"value": "gold"}}), rid="r-1"),
    line({"event_name": "login", "client_id": "c-1", "x-ga-mp2-user_properties": {"tier": "x"}}, appId=GOOD, rid="r-2"),
]


def test_a_user_is_set_aside_named_and_brought_back(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path, APPS)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", *LINES))
    spoil(pipeline, EVENT, "user_properties_json_str", "{not JSON", BAD)
    assert pipeline.derive().keys_set_aside == 1
    assert [row["app_id"] for row in pipeline.rows("user")] == [GOOD]
    [row] = pipeline.rows("quarantine")
    assert (row["reason"], row["stage"], row["app_id"], json.loads(row["raw"])) == (
        "derive_error",
        "derive",
        BAD,
        {"user_pseudo_id": "u-1"},
    )
    pipeline.ingest(
        write(tmp_path / "raw", "b.gz", line(event("b"), rid="r-3"))
    )  # more of the same user: one row of quarantine stays one
    derived(pipeline)
    [shown] = [checked for checked in check_tables(pipeline.config, 10, QUIET) if checked.name == "set_aside"]
    assert "u-1" in str(shown.problems)
    assert replay.run(pipeline.config, QuarantineFilter(), LogProgress())["resolved"] == 0
    assert len(pipeline.rows("quarantine")) == 1
    spoil(pipeline, EVENT, "user_properties_json_str", '{"tier":{"value":"gold","set_time_msec":null}}', BAD)
    derived(pipeline)
    assert replay.run(pipeline.config, QuarantineFilter(("derive_error",)), LogProgress())["resolved"] == 1
    [user] = pipeline.rows("user", where=f"app_id = '{BAD}'")
    assert json.loads(user["user_properties_json_str"])["tier"]["value"] == "gold"
    assert pipeline.rows("quarantine", where="resolved_time IS NULL") == []
    assert [each.problems for each in check_tables(pipeline.config, 10, QUIET) if each.problems] == []


def test_an_item_is_set_aside_and_brought_back(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path, APPS)
    messages = [
        {
            "type": "item_set",
            "item_type": "book",
            "item_id": f"i-{number}",
            "properties": {"p": number},
            "time": 1_779_999_999_000,
            "_track_id": number,
        }
        for number in range(1)
    ]
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(*messages, appId="sensors", client_timestamp=None)))
    spoil(pipeline, CHANGE, "properties_json_str", "[[", "sensors")
    assert pipeline.derive().keys_set_aside == 1
    [row] = pipeline.rows("quarantine")
    assert json.loads(row["raw"]) == {"item_id": "i-0"}
    spoil(pipeline, CHANGE, "properties_json_str", '{"p":1}', "sensors")
    derived(pipeline)
    assert replay.run(pipeline.config, QuarantineFilter(), LogProgress())["resolved"] == 1
    assert [row["item_id"] for row in pipeline.rows("item_attributes")] == ["i-0"]


def test_the_message_says_what_failed() -> None:
    _, [failed] = compute_isolated(lambda _: 1 / 0, pa.table({"app_id": ["a"], "user_pseudo_id": ["u"]}))
    assert failed == SetAside("a", "user_pseudo_id", "u", "ZeroDivisionError", "division by zero")
