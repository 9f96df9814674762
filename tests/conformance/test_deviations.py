"""The tables of allowed differences say what is so: every entry is about a recorded column, and is still needed."""

from __future__ import annotations

import json

import pytest

from .compare import expected_row, same_value
from .deviations import DEVIATIONS, KEPT_AS_RECEIVED
from .fixture_files import Row, load_json, skip_without_recorded_cases
from .test_gtm_fixtures import CASES as GTM_CASES
from .test_gtm_fixtures import recorded_rows as recorded_gtm_rows
from .test_sdk_fixtures import CASES, recorded_rows
from .test_sensors_fixtures import SHOWN as SENSORS_SHOWN
from .test_sensors_fixtures import recorded_row as recorded_sensors_row

skip_without_recorded_cases()


def _recorded(fixture: str) -> Row:
    """All recorded columns of a file, those of several tables together."""
    if fixture == "test_extract_session_from_event":
        return expected_row(load_json(f"sdk/expected/{fixture}.json"), "session")
    if gtm := [recorded_gtm_rows(case) for case in GTM_CASES if case.expected == fixture]:
        return {name: value for rows in reversed(gtm[0].values()) for row in rows for name, value in row.items()}
    if fixture in SENSORS_SHOWN:
        return recorded_sensors_row(fixture)
    [shown] = [case.shown for case in CASES if fixture in case.shown]
    rows = recorded_rows({fixture: shown[fixture]})
    return {name: value for _, table, row in reversed(rows) for name, value in expected_row(row, table).items()}


@pytest.mark.parametrize(("fixture", "column"), DEVIATIONS, ids="-".join)
def test_deviation_differs_from_the_recorded_value(fixture: str, column: str) -> None:
    recorded = _recorded(fixture)
    assert column in recorded
    assert not same_value(DEVIATIONS[fixture, column][0], recorded[column])


@pytest.mark.parametrize("name", KEPT_AS_RECEIVED)
def test_object_parameter_differs_from_the_recorded_one(name: str) -> None:
    """Of GTM, in some case."""
    ours = [row for case in GTM_CASES for row in recorded_gtm_rows(case).get("event", ())]
    theirs = [load_json(f"gtm/expected/{case.expected}.json") for case in GTM_CASES if case.table is None]
    recorded = [json.loads(event["custom_parameters_json_str"]) for each in theirs for event in each["dataOut"]["events"]]
    pairs = zip((row["custom_parameters_json_str"] for row in ours), recorded, strict=True)
    assert any(wanted.get(name) != of_reference.get(name) for wanted, of_reference in pairs)
