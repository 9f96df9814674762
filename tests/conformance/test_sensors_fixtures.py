"""Cases sen-01 to sen-04 of the fixtures' README: what the reference system's Sensors Data part read and made of it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from streaming_app.config.model import RulesSection
from streaming_app.ingest.transform.time_rules import TimeRules
from streaming_app.model.event import Event
from streaming_app.model.request import parse_request
from streaming_app.transformers.sensors_data import SensorsData

from .compare import actual_row, differences, expected_row
from .fixture_files import FIXTURES, Row, load_json, load_lines, skip_without_recorded_cases
from .pipeline_in_process import Run, Setting, run

skip_without_recorded_cases()

TEN_YEARS = 24.0 * 366 * 10
UNCHECKED = Setting(
    ("sensorTest",),
    project="test_project_id",
    clock_correction=False,
    freshness_hours=TEN_YEARS,
    transformer="sensors_data",
)
"""Messages are days older than their receipt: neither freshness nor correction."""
NAME_GIVEN = "server-session-start.json"
"""The reference's parser was told that its input came from a file of this name."""
SHOWN = {
    "test_sensors_data_parseLineToDBRow_event": "gzip-raw-data",  # sen-02
    "test_sensors_data_parseLineToDBRow_web_event": "web-sdk-data",  # sen-03
}
"""The expected file with the first event of an input."""


def recorded_row(fixture: str) -> Row:
    return expected_row(load_json(f"sensors/expected/{fixture}.json"), "event")


def _done(name: str, setting: Setting, folder: Path) -> Run:
    file = shutil.copy(FIXTURES / f"sensors/input/{name}.json", folder / NAME_GIVEN)
    return run([Path(file)], setting, folder / "lake")


def test_raw_record() -> None:
    """sen-01: the fields that anything is made of."""
    recorded = load_json("sensors/expected/test_sensors_ingestLineToRow.json")
    [line] = load_lines("sensors/input/gzip-raw-data.json")
    request = parse_request(json.dumps(line).encode())
    fields = {"app_id": "appId"} | {name: name for name in ("data", "ip", "rid", "ua", "uri", "ingest_time", "upload_timestamp")}
    assert {name: getattr(request, name) for name in fields} == {name: recorded[key] for name, key in fields.items()}


@pytest.mark.parametrize("fixture", SHOWN)
def test_first_event(fixture: str, tmp_path: Path) -> None:
    """sen-02 and sen-03."""
    done = _done(SHOWN[fixture], UNCHECKED, tmp_path)
    recorded = recorded_row(fixture)
    [event] = [row for row in done.rows("event") if row["event_id"] == recorded["event_id"]]
    found = differences(fixture, "event", recorded, actual_row(event))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("fixture", SHOWN)
def test_every_message(fixture: str, tmp_path: Path) -> None:
    """sen-02 and sen-03: seven events, and two changes of attributes, which the reference loses (F6)."""
    done = _done(SHOWN[fixture], UNCHECKED, tmp_path)
    assert len(done.rows("event")) == 7
    assert [(row["event_name"], json.loads(row["properties_json_str"])) for row in done.rows("change")] == [
        ("profile_set", {"_user_id": "007160b9-fe02-4dbc-ad37-6e380584ef2a"}),
        ("profile_set", {"_user_name": "adfd"}),
    ]
    assert {row["user_pseudo_id"] for table in ("event", "change") for row in done.rows(table)} == {"9113946abd821d52"}
    assert done.report.counts.received == 9


def test_time_of_sending_corrects_the_clock() -> None:
    """sen-03, §2: what a correction by ``_flush_time`` gives."""
    [line] = load_lines("sensors/input/web-sdk-data.json")
    request = parse_request(json.dumps(line).encode())
    event = next(iter(SensorsData().transform(request)))
    assert isinstance(event, Event)
    TimeRules(RulesSection(freshness_hours=TEN_YEARS)).apply(event, request.ingest_time, event.upload_time_msec)
    assert event.event_time_msec == 1690779729166


def test_plain_base64(tmp_path: Path) -> None:
    """sen-04, without a check of the future: the client's time is 267 days after its receipt."""
    done = _done("web-non-gzip-data", replace(UNCHECKED, clock_threshold_minutes=TEN_YEARS * 60), tmp_path)
    [event] = done.rows("event")
    assert (event["event_name"], event["event_time_msec"]) == ("product_exposure", 1713860888369)


@pytest.mark.parametrize("correction", [False, True])
def test_nothing_is_lost_in_the_future(correction: bool, tmp_path: Path) -> None:
    """sen-04 with the check."""
    done = _done("web-non-gzip-data", replace(UNCHECKED, clock_correction=correction), tmp_path)
    kept = Counter([row["event_name"] for row in done.rows("event")] + [row["reason"] for row in done.rows("quarantine")])
    assert kept in ({"product_exposure": 1}, {"in_future": 1})
