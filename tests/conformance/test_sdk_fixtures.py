"""Cases sdk-01 to sdk-17 and sdk-p1 to sdk-p5 of the fixtures' README: what the reference system's SDK part read and wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pytest

from streaming_app.model.tables import EVENT

from .compare import actual_row, differences, expected_row
from .fixture_files import FIXTURES, Row, load_json, load_lines, skip_without_recorded_cases
from .pipeline_in_process import JOB_ID, Run, Setting, run, sessions_of, users_of

skip_without_recorded_cases()

UBA = Setting(("uba-app",))
_PARSER = Setting(("uba-app",), project="test_project_id", clock_correction=False)
_MAX_LEN = Setting(("maxLenTestItemUser",))


@dataclass(frozen=True)
class Case:
    """``shown`` maps an expected file to the table whose row it shows; ``rows`` is the number of rows of a table.

    ``per_event``: the recorded user row was made from one event, before any aggregation (converter and parser cases).
    ``before_dedupe``: rows of ``event`` where the cleaner alone was looked at.
    """

    id: str
    input: str
    setting: Setting = UBA
    shown: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    before_dedupe: int | None = None
    quarantined: tuple[str, ...] = ()
    per_event: bool = False


CASES = (
    Case("sdk-01", "original_data_with_items", shown={"transform_v3_event": "event"}, rows={"event": 1}),
    Case("sdk-02", "original_data", shown={"transform_v3_gzip_event": "event"}, rows={"event": 2}),
    Case("sdk-03", "original_data_with_items", shown={"transform_v3_item": "item"}, rows={"item": 3}),
    Case("sdk-04", "original_data_with_user_profile_set", shown={"transform_v3_user": "user"}, rows={"user": 1}),
    Case(
        "sdk-05",
        "original_data_with_user_profile_set2",
        shown={"transform_v3_user2": "user"},
        rows={"user": 1, "event": 5},
        before_dedupe=6,
    ),
    Case("sdk-06", "original_data_with_first_open", shown={"transform_v3_user_first_open": "user"}, rows={"user": 1}),
    Case("sdk-07", "original_data_with_traffic_source_v2", shown={"transform_v3_traffic_source_event": "event"}),
    Case("sdk-08", "original_data_with_traffic_source_v2", shown={"transform_v3_traffic_source_user": "user"}),
    Case("sdk-09", "original_data_with_traffic_source_v2", shown={"transform_v3_traffic_source_session": "session"}),
    Case(
        "sdk-10",
        "original_data_nozip_item_max_len",
        _MAX_LEN,
        shown={
            "transform_v3_event_max_len2": "event",
            "transform_v3_item_max_len": "item",
            "transform_v3_user_max_len": "user",
        },
    ),
    Case(
        "sdk-12",
        "original_data_nozip_upload_time",
        Setting(("testApp1",), project="projectId1"),
        shown={"test_convert_data_v3": "dataOut"},
        rows={"event": 5},
        per_event=True,
    ),
    Case("sdk-13", "original_data_null", rows={"event": 0}, quarantined=("malformed_payload", "malformed_payload")),
    Case("sdk-14", "original_data_with_error", rows={"event": 0}, quarantined=("malformed_payload",)),
    Case(
        "sdk-15",
        "original_data_with_future_time",
        Setting(("test-clean-future",)),
        rows={"event": 1},
        quarantined=("in_future",),
    ),
    Case(
        "sdk-16",
        "original_data_event_name_not_filtered",
        Setting(("app_id1",)),
        rows={"event": 2},
        before_dedupe=3,
        quarantined=("too_late",),
    ),
    Case("sdk-17", "original_data", rows={"event": 2}),
    Case(
        "sdk-p1",
        "parser_original_data_nozip_upload_time",
        Setting(("testApp1",), project="test_project_id", clock_correction=False),
        shown={"parser_test_parse_line_to_db_row_event_v2": "event"},
    ),
    Case("sdk-p2", "original_data", _PARSER, shown={"parser_test_parse_line_to_db_row_zip_event_v2": "event"}),
    Case("sdk-p3", "parser_original_data_page_url", _PARSER, shown={"parser_test_parse_line_to_db_row_event": "event"}),
    Case("sdk-p4", "original_data_with_items", _PARSER, shown={"parser_test_parse_line_to_db_row_item": "item"}),
    Case(
        "sdk-p5",
        "parser_original_data_page_url",
        _PARSER,
        shown={"parser_test_parse_line_to_db_row_user": "user"},
        per_event=True,
    ),
)
_KEYS = {
    "event": ("event_id", "event_name"),
    "item": ("event_id", "item_id"),
    "user": ("user_pseudo_id",),
    "session": ("user_pseudo_id", "session_id"),
}

RunCase = Callable[[str, Setting], Run]


@pytest.fixture(scope="module")
def run_case(tmp_path_factory: pytest.TempPathFactory) -> RunCase:
    """Runs an input once per setting, because many cases show different rows of the same run."""
    runs: dict[tuple[str, Setting], Run] = {}

    def run_once(name: str, setting: Setting) -> Run:
        if (name, setting) not in runs:
            runs[name, setting] = run([FIXTURES / f"sdk/input/{name}.json"], setting, tmp_path_factory.mktemp("lake"))
        return runs[name, setting]

    return run_once


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(case: Case, run_case: RunCase) -> None:
    done = run_case(case.input, case.setting)
    found = [
        line for fixture, table, recorded in recorded_rows(case.shown) for line in _compared(case, done, fixture, table, recorded)
    ]
    counted = {table: len(done.rows(table)) for table in case.rows}
    quarantined = tuple(row["reason"] for row in done.rows("quarantine"))
    assert not found, "\n".join(found)
    assert (counted, quarantined) == (case.rows, case.quarantined)
    assert done.report.counts.received == len(done.rows("event")) + done.duplicates + len(quarantined)
    if case.before_dedupe is not None:
        assert len(done.rows("event")) + done.duplicates == case.before_dedupe


def recorded_rows(shown: dict[str, str]) -> list[tuple[str, str, Row]]:
    """(expected file, table, recorded row); a file with all output of the converter shows several."""
    rows = []
    for fixture, table in shown.items():
        content = load_json(f"sdk/expected/{fixture}.json")
        if table != "dataOut":
            rows.append((fixture, table, content))
            continue
        out = content["dataOut"]
        rows += [(fixture, "event", row) for row in out["events"]] + [(fixture, "user", out["user"])]
        rows += [(fixture, "item", row) for row in out["items"]]
    return rows


def _compared(case: Case, done: Run, fixture: str, table: str, recorded: Row) -> list[str]:
    rows = _users_per_event(done) if table == "user" and case.per_event else done.rows(table)
    matching = [row for row in rows if all(row[key] == recorded[key] for key in _KEYS[table] if key in recorded)]
    if len(matching) != 1:
        keys = {key: recorded.get(key) for key in _KEYS[table]}
        return [f"{fixture}: {len(matching)} rows of {table} instead of one are {keys}; quarantined: {done.rows('quarantine')}"]
    return differences(fixture, table, expected_row(recorded, table), actual_row(matching[0]))


def _users_per_event(done: Run) -> list[Row]:
    """The user row of the first event alone, which has the attributes sent with it.

    The user table takes attributes from ``_profile_set`` events only; of any other event ``event`` itself keeps them.
    """
    first = done.events.slice(0, 1)
    sent = {"user_properties_json_str": first["user_properties_json_str"][0].as_py()}
    return [row | sent for row in users_of(first).to_pylist()]


def test_raw_payload_is_kept_in_quarantine(run_case: RunCase) -> None:
    """sdk-14: what could not be decoded can be looked at, and replayed."""
    [line] = load_lines("sdk/input/original_data_with_error.json")
    [kept] = run_case("original_data_with_error", UBA).rows("quarantine")
    assert kept["raw"] == line["data"]


def test_session_extraction() -> None:
    """sdk-11: sessions of finished event rows."""
    fixture = "test_extract_session_from_event"
    [session] = sessions_of(finished_events(), UBA.config(FIXTURES)).to_pylist()
    recorded = expected_row(load_json(f"sdk/expected/{fixture}.json"), "session")
    found = differences(fixture, "session", recorded, actual_row(session))
    assert not found, "\n".join(found)


def finished_events() -> pa.Table:
    """The input of sdk-11 as the reference read it: a number or a map that was written as text is null.

    Two columns are filled all the same, because no event of ours lacks them: the time, and who processed it.
    """
    texts = {name for name in EVENT.schema.names if EVENT.schema.field(name).type == pa.string()}
    rows: list[dict[str, Any]] = []
    for line in load_lines("sdk/input/event_v2_session_dataset.json"):
        row = {name: line.get(name) if name in texts else None for name in EVENT.schema.names}
        row["event_time_msec"] = int(line["event_time_msec"])
        row["process_info"] = f'{{"process_job_id":"{JOB_ID}","process_time":"_PROCESS_TIME_"}}'
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=EVENT.schema)
