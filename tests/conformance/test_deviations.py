"""The tables of allowed differences say what is so: every entry is about a recorded column, and is still needed."""

from __future__ import annotations

import pytest

from .compare import expected_row, same_value
from .deviations import DEVIATIONS
from .fixture_files import Row, load_json, needs_fixtures
from .test_sdk_fixtures import CASES, recorded_rows

pytestmark = needs_fixtures


def _recorded(fixture: str) -> Row:
    """All recorded columns of a file, those of several tables together."""
    if fixture == "test_extract_session_from_event":
        return expected_row(load_json(f"sdk/expected/{fixture}.json"), "session")
    [shown] = [case.shown for case in CASES if fixture in case.shown]
    rows = recorded_rows({fixture: shown[fixture]})
    return {name: value for _, table, row in reversed(rows) for name, value in expected_row(row, table).items()}


@pytest.mark.parametrize(("fixture", "column"), DEVIATIONS, ids="-".join)
def test_deviation_differs_from_the_recorded_value(fixture: str, column: str) -> None:
    recorded = _recorded(fixture)
    assert column in recorded
    assert not same_value(DEVIATIONS[fixture, column][0], recorded[column])
