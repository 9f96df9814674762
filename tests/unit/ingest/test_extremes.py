"""No value can stop the pipeline: whatever numbers, times and texts clients send, ingest, derive, the next run, check, looks and
erasure go on, and nothing has to be set aside, because values are bounded where they enter.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given

from streaming_app.cli.query_commands import format_cell
from streaming_app.commands import erase
from streaming_app.commands.check.check_tables import check_tables
from streaming_app.commands.erase.person import Person
from streaming_app.metrics.progress import LogProgress
from streaming_app.model.arrow import to_rows
from streaming_app.model.columns import columns_of
from streaming_app.model.event import Event
from streaming_app.model.tables import TABLES
from streaming_app.model.times import DAY_MS
from tests.support.examples import costly
from tests.support.extremes import STOPPED_ONCE, extreme_requests
from tests.support.lake import LocalPipeline, balance
from tests.support.raw import event, line, write
from tests.support.sources import APPS
from tests.support.upkeep import QUIET, derived

ENRICHED = APPS + "enrichers: [{user_agent: {}}, {traffic_source: {}}]\n"
ORDINARY = [line(event("ordinary", unique_id=f"u-{number}"), rid=f"last-{number}") for number in range(3)]


def live_through(pipeline: LocalPipeline, lines: list[bytes]) -> None:
    """Ingest and derive, then an ordinary run, then every look and an erasure; each must do what it promises."""
    for number, each in enumerate((lines, ORDINARY)):
        received, accounted_for = balance(pipeline.ingest(write(pipeline.folder / "raw", f"{number}.gz", *each)))
        assert received == accounted_for
        assert pipeline.derive().keys_set_aside == 0
    derived(pipeline)
    problems = [each for validate_result in check_tables(pipeline.config, 1_000, QUIET) for each in validate_result.problems]
    assert problems == []
    for table in TABLES:
        assert all(
            format_cell(value) is not None
            for row in to_rows(pipeline.query(f'SELECT * FROM "{table}"'))
            for value in row.values()
        )
    for user in {(row["app_id"], row["user_pseudo_id"]) for row in pipeline.rows("user")}:
        result = erase.run(pipeline.config, Person(user[0], user[1]), "delete", LogProgress())
        assert result["remaining"] == 0


@given(lines=extreme_requests())
@costly(12)
def test_extremes_stop_nothing(lines: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    live_through(LocalPipeline(tmp_path_factory.mktemp("extremes"), ENRICHED), lines)


OFTEN = ("first touch in ns", "two endless engagements", "two endless engagements of GTM", "no ingest time, 9999")


@pytest.mark.parametrize(
    "case", [pytest.param(each, marks=[] if each in OFTEN else [pytest.mark.exhaustive]) for each in STOPPED_ONCE]
)
def test_what_stopped_it_once(case: str, tmp_path: Path) -> None:
    live_through(LocalPipeline(tmp_path, ENRICHED), STOPPED_ONCE[case])


BOUNDED = {column.name: column for column in columns_of(Event) if column.bounds}


def test_what_does_not_fit_is_null_or_clamped_and_noted(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    attributes = {
        "_session_start_timestamp": -5,
        "_session_duration": 2 * DAY_MS,
        "_engagement_time_msec": -7,
        "_session_id": "s",
    }
    sent = event("e", event_type="_user_engagement", attributes=attributes, screen_width=2**40, viewport_width=2**70)
    pipeline.ingest(write(tmp_path / "raw", "a.gz", line(sent, client_timestamp=10**30)))
    [row] = pipeline.rows("event")
    assert (row["session_start_time_msec"], row["session_duration"], row["user_engagement_time_msec"]) == (None, DAY_MS, 0)
    assert (row["device_screen_width"], row["device_viewport_width"]) == (None, None)
    [info] = [json.loads(text) for text in pipeline.query("SELECT process_info FROM event")["process_info"].to_pylist()]
    assert info["out_of_range"] == {
        "session_start_time_msec": -5,
        "session_duration": 2 * DAY_MS,
        "user_engagement_time_msec": -7,
        "device_screen_width": str(2**40),
        "device_viewport_width": str(2**70),
    }
    assert info["unreadable_request"] == {"client_timestamp": str(10**30)}


def test_every_time_and_duration_of_an_event_is_bounded() -> None:
    times = {name for name in Event.__struct_fields__ if name.endswith("_msec") or name == "session_duration"}
    assert times - BOUNDED.keys() == {"upload_time_msec"}  # which is in no column
