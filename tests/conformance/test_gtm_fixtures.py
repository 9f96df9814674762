"""Cases gtm-01 to gtm-05, gtm-p1 and gtm-p2 of the fixtures' README: what the reference system's GTM part read and made of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from .compare import actual_row, differences, expected_row
from .deviations import KEPT_AS_RECEIVED
from .fixture_files import FIXTURES, Row, load_json, load_lines, skip_without_recorded_cases
from .pipeline_in_process import Run, Setting, run, users_of

skip_without_recorded_cases()


def _setting(app: str, project: str = "test_project_id_gtm_server") -> Setting:
    return Setting((app,), project=project, transformer="gtm_server")


SHOP = "example_clickstream_analytics_aws"


@dataclass(frozen=True)
class Case:
    """``rid`` tells the recorded request; ``table`` is what a file of the parser shows, all of the converter's else."""

    id: str
    input: str
    expected: str
    setting: Setting
    rid: str
    events: int
    table: str | None = None


CASES = (
    Case("gtm-01", "server-single", "test_convert_single_data_v2", _setting("GMTServer1"), "7da14049fe2aca7ea98c9f4b2b3c6f4a", 3),
    Case("gtm-02", "server-array", "test_convert_array_data_v2", _setting(SHOP), "4a31fde2533e11dd2b0e7800720f6f86", 3),
    Case("gtm-03", "server-items", "test_convert_items_data_v2", _setting(SHOP), "25aefd4cb653fd0fcbac33e24fd3f0ba", 1),
    Case("gtm-04", "server-user", "test_convert_user_data_v2", _setting("GMTServer"), "43cc3b89d7dfccbc2c906eb125ea25db", 4),
    Case(
        "gtm-05",
        "server-user-props",
        "test_convert_user_data_user_props_v2",
        _setting("GMTServer"),
        "42cc3b89d7dfccbc2c906eb125ea25db",
        1,
    ),
    Case(
        "gtm-p1",
        "parser_server-items",
        "parser_test_gtm_parseLineToDBRow_item",
        _setting(SHOP, "test_project_id"),
        "25aefd4cb653fd0fcbac33e24fd3f0ba",
        1,
        "item",
    ),
    Case(
        "gtm-p2",
        "parser_server-user-props",
        "parser_test_gtm_parseLineToDBRow_user_login",
        _setting("GMTServer", "test_project_id"),
        "42cc3b89d7dfccbc2c906eb125ea25db",
        1,
        "user",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(case: Case, tmp_path: Path) -> None:
    done = _run(case, tmp_path)
    recorded, ours = recorded_rows(case), _rows_of_request(done, case.rid)
    assert done.report.counts.received == len(done.rows("event")) == case.events
    assert {table: len(ours[table]) for table in recorded} == {table: len(rows) for table, rows in recorded.items()}
    found = [
        line
        for table, rows in recorded.items()
        for wanted, row in zip(rows, ours[table], strict=True)
        for line in differences(case.expected, table, wanted, actual_row(row))
    ]
    assert not found, "\n".join(found)


def _run(case: Case, lake: Path) -> Run:
    return run([FIXTURES / f"gtm/input/{case.input}.json"], case.setting, lake)


def _rows_of_request(done: Run, rid: str) -> dict[str, list[Row]]:
    """What one request made. The user is the one of this request alone, with the attributes as they were sent: the recorded
    one was made before any aggregation, which gives attributes without a set time that of their event."""
    events = done.events.filter(pc.starts_with(done.events["event_id"], f"{rid}-"))
    [sent] = events["user_properties_json_str"].to_pylist()
    [user] = users_of(events).to_pylist()
    assert _values(user["user_properties_json_str"]) == _values(sent)
    items = [row for row in done.rows("item") if row["event_id"].startswith(f"{rid}-")]
    return {"event": events.to_pylist(), "user": [user | {"user_properties_json_str": sent}], "item": items}


def _values(properties: str | None) -> Row:
    return {name: each["value"] for name, each in json.loads(properties or "{}").items()}


def recorded_rows(case: Case) -> dict[str, list[Row]]:
    """Table to the rows that a case shows, in our shape."""
    content = load_json(f"gtm/expected/{case.expected}.json")
    if case.table is not None:
        return {case.table: [expected_row(content, case.table)]}
    out = content["dataOut"]
    shown = {"event": out["events"], "user": [out["user"]], "item": out["items"]}
    rows = {table: [expected_row(row, table) for row in rows] for table, rows in shown.items()}
    for row, sent in zip(rows["event"], _sent(case), strict=True):
        row["custom_parameters_json_str"] |= {name: sent[name] for name in KEPT_AS_RECEIVED if name in sent}
    return rows


def _sent(case: Case) -> list[dict[str, Any]]:
    """The elements of the recorded request."""
    [payload] = [json.loads(line["data"]) for line in load_lines(f"gtm/input/{case.input}.json") if line["rid"] == case.rid]
    return payload if isinstance(payload, list) else [payload]


def test_an_empty_platform_is_web(tmp_path: Path) -> None:
    """A request of gtm-02 whose hints have an empty platform: its row is not among the recorded ones."""
    [case] = [each for each in CASES if each.id == "gtm-02"]
    [event] = _rows_of_request(_run(case, tmp_path), "4def41ce9737a595d17d13383bf2780c")["event"]
    assert event["platform"] == "Web"
