"""What a genuine web SDK sent, against what its driver knows it did (``truth.json``). Nothing here knows an id or a count."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from streaming_app.model.tables import EVENT

from .compare import same_value
from .fixture_files import FIXTURES, Row, load_json, skip_without_recorded_cases
from .pipeline_in_process import Run, Setting, run

skip_without_recorded_cases()

Truth = dict[str, Any]
SEVERAL_YEARS = 24.0 * 366 * 10

RESERVED = {
    "_value": "event_value",
    "_currency": "event_value_currency",
    "_link_url": "outbound_link_url",
    "_link_id": "outbound_link_id",
    "_link_classes": "outbound_link_classes",
    "_link_domain": "outbound_link_domain",
    "_outbound": "outbound_link",
    "_search_key": "search_key",
    "_search_term": "search_term",
    "_error_code": "sdk_error_code",
    "_error_message": "sdk_error_message",
    "_page_title": "page_view_page_title",
    "_page_url": "page_view_page_url",
    "_page_referrer": "page_view_page_referrer",
    "_page_referrer_title": "page_view_page_referrer_title",
    "_latest_referrer": "page_view_latest_referrer",
    "_latest_referrer_host": "page_view_latest_referrer_host",
    "_session_id": "session_id",
    "_session_start_timestamp": "session_start_time_msec",
    "_session_duration": "session_duration",
    "_session_number": "session_number",
    "_is_first_time": "app_start_is_first_time",
    **{
        f"_traffic_source_{suffix}": f"traffic_source_{suffix}"
        for suffix in ("source", "medium", "campaign", "content", "term", "campaign_id", "clid_platform", "clid")
    },
}
"""Attributes with a column, from the reference's description of the SDK (not from the product's tables)."""

ITEM_COLUMNS = (
    {"id": "item_id"}
    | {
        name: name
        for name in (
            "name",
            "brand",
            "currency",
            "price",
            "quantity",
            "creative_name",
            "creative_slot",
            "location_id",
            "category",
        )
    }
    | {f"category{level}": f"category{level}" for level in (2, 3, 4, 5)}
)


@pytest.fixture(scope="module")
def truth() -> Truth:
    return dict(load_json("real/truth.json")["clickstream_web"])


@pytest.fixture(scope="module")
def done(truth: Truth, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All captured files in one run."""
    return run(captured_files(truth), setting(truth), tmp_path_factory.mktemp("lake"))


def captured_files(truth: Truth) -> list[Path]:
    return sorted((FIXTURES / "real" / truth["folder"]).rglob("*.gz"))


def setting(truth: Truth) -> Setting:
    return Setting(tuple(truth["app_ids"]), freshness_hours=SEVERAL_YEARS)


@pytest.fixture(scope="module")
def events(done: Run) -> dict[str, Row]:
    """Rows of ``event`` by id."""
    return {row["event_id"]: row for row in done.rows("event")}


@pytest.fixture(scope="module")
def triggered(truth: Truth) -> list[Truth]:
    """What the driver did and the SDK sent."""
    return [event for event in truth["events_triggered"] if event.get("captured")]


def test_balance(done: Run, truth: Truth) -> None:
    counts = done.report.counts
    sent, distinct = (sum(truth["observed"][name].values()) for name in ("counts", "distinct_counts"))
    written = len(done.rows("event"))
    assert counts.received == written + done.duplicates + sum(counts.quarantined.values())
    assert (counts.received, written, done.duplicates) == (sent, distinct, sent - distinct)
    assert (counts.lines, counts.quarantined) == (truth["observed"]["records"], {})


def test_every_event_once(done: Run, truth: Truth) -> None:
    """Events that the SDK sent twice are counted once."""
    counted = Counter(row["event_name"] for row in done.rows("event"))
    assert counted == truth["observed"]["distinct_counts"]
    assert len({row["event_id"] for row in done.rows("event")}) == done.events.num_rows
    assert {name for name, least in truth["expected_minimum_counts"].items() if counted[name] < least} == set()


def test_resent_files(done: Run, truth: Truth, tmp_path: Path) -> None:
    """Everything sent twice is everything once, whatever the client itself happened to resend."""
    copies = [Path(shutil.copy(file, tmp_path / f"again-{file.name}")) for file in captured_files(truth)]
    again = run([*captured_files(truth), *copies], setting(truth), tmp_path / "lake")
    assert again.report.counts.received == 2 * done.report.counts.received
    assert again.duplicates == again.report.counts.received - done.events.num_rows
    for table, key in (("event", "event_id"), ("item", "event_id"), ("user", "user_pseudo_id"), ("session", "session_id")):
        assert Counter(row[key] for row in again.rows(table)) == Counter(row[key] for row in done.rows(table)), table
    assert sum(row["event_count"] for row in again.rows("session")) == done.events.num_rows


def test_events_of_each_user(done: Run, truth: Truth) -> None:
    """The recorded numbers per user count copies, so they are upper bounds; no name of an event changes its user."""
    ours = Counter((row["user_pseudo_id"], row["event_name"]) for row in done.rows("event"))
    sent = {(user, name): number for user, names in truth["observed"]["counts_by_user"].items() for name, number in names.items()}
    assert ours.keys() == sent.keys()
    assert {key for key, number in ours.items() if number > sent[key]} == set()


def test_triggered_events(events: dict[str, Row], triggered: list[Truth], done: Run) -> None:
    """Name, user, time, attributes, page and user attributes of everything the driver did."""
    assert triggered
    found = [line for event in triggered for line in _event_differences(event, events.get(event["captured"]["event_id"]))]
    assert not found, "\n".join(found)


def test_items(triggered: list[Truth], done: Run) -> None:
    """Every item of every event in its order, with amounts, and with custom attributes in their types."""
    sent = [event for event in triggered if event.get("items")]
    assert sent
    found: list[str] = []
    for event in sent:
        rows = [row for row in done.rows("item") if row["event_id"] == event["captured"]["event_id"]]
        rows.sort(key=lambda row: int(row["item_index"]))
        if len(rows) != len(event["items"]):
            found.append(f"{event['name']}: {len(rows)} items, sent {len(event['items'])}")
        for item, row in zip(event["items"], rows, strict=False):
            columns = {ITEM_COLUMNS[key]: value for key, value in item.items() if key in ITEM_COLUMNS}
            custom = {key: value for key, value in item.items() if key not in ITEM_COLUMNS}
            found += _unlike(f"item of {event['name']}", row, columns | {"event_name": event["name"], "app_id": event["app_id"]})
            if not same_value(_object(row["custom_parameters_json_str"]), custom):
                found.append(f"item of {event['name']}: custom {row['custom_parameters_json_str']}, sent {custom}")
    assert not found, "\n".join(found)


def test_identities(done: Run, truth: Truth) -> None:
    """Which login ids and devices each pseudonymous id had, as the driver knows it."""
    known = [identity | {"app_id": user["app_id"]} for user in truth["users"].values() for identity in user["identities"]]
    seen = {(row["app_id"], row["user_pseudo_id"], row["device_vendor_id"], row["user_id"]) for row in done.rows("event")}
    assert seen == {(each["app_id"], each["unique_id"], each["device_id"], each["user_id"]) for each in known}
    users = [(row["app_id"], row["user_pseudo_id"]) for row in done.rows("user")]
    assert sorted(users) == sorted({(each["app_id"], each["unique_id"]) for each in known})


def test_users(done: Run, triggered: list[Truth]) -> None:
    """Latest login id, newest value of every user attribute that was set, earliest first touch."""
    for row in done.rows("user"):
        acts = [event for event in triggered if event["unique_id"] == row["user_pseudo_id"]]
        login_ids = _newest([(event, event["user_id"]) for event in acts if event["user_id"] is not None])
        assert row["user_id"] in (login_ids or [None])
        kept = {name: each["value"] for name, each in _object(row["user_properties_json_str"]).items()}
        for name in {name for event in acts for name in event.get("user_attributes", {})}:
            sets = [event for event in acts if name in event.get("user_attributes", {})]
            values = _newest([(event, event["user_attributes"][name]) for event in sets])
            assert any(same_value(kept.get(name), value) for value in values), name
        if login_ids:
            assert kept.get("_user_id") in login_ids
        own = [event for event in done.rows("event") if event["user_pseudo_id"] == row["user_pseudo_id"]]
        touches = {event["user_first_touch_time_msec"] for event in own}
        assert None not in touches, "the web SDK sends the first touch with every event"
        assert row["first_touch_time_msec"] == min(touches)


def _newest(values: list[tuple[Truth, Any]]) -> list[Any]:
    """The values of the latest moment: several events may share a millisecond, and which was later is unknown."""
    times = [event["captured"]["timestamp"] for event, _ in values]
    return [value for event, value in values if event["captured"]["timestamp"] == max(times)]


def test_sessions(done: Run) -> None:
    """Every event belongs to the session whose id the SDK gave it."""
    sent = Counter((row["app_id"], row["user_pseudo_id"], row["session_id"]) for row in done.rows("event"))
    ours = {(row["app_id"], row["user_pseudo_id"], row["session_id"]): row["event_count"] for row in done.rows("session")}
    assert None not in {session_id for _, _, session_id in sent}
    assert ours == sent


def test_nothing_is_corrected_or_unreadable(done: Run) -> None:
    """The clients' clocks were right and every value was of its type: lineage has nothing more to tell."""
    lineage = {
        "rid",
        "ingest_time",
        "upload_time",
        "source_ip",
        "input_file_name",
        "input_file_line",
        "process_job_id",
        "process_time",
    }
    assert {key for row in done.rows("event") for key in json.loads(row["process_info"])} == lineage


def _event_differences(event: Truth, row: Row | None) -> list[str]:
    captured = event["captured"]
    place = f"{event['name']} ({captured['record']})"
    if row is None:
        return [f"{place}: there is no such event"]
    columns: Row = {
        "event_name": event["name"],
        "event_time_msec": captured["timestamp"],
        "app_id": event["app_id"],
        "user_pseudo_id": event["unique_id"],
        "user_id": event["user_id"],
    }
    if "page_url" in event:
        columns["page_view_page_url"] = event["page_url"]
    if "page_title" in event:
        columns["page_view_page_title"] = event["page_title"]
    attributes = event["attributes"]
    columns |= {RESERVED[name]: value for name, value in attributes.items() if name in RESERVED}
    if "_value" in attributes:
        columns |= {"event_value_currency": attributes.get("_currency")}
    custom = {name: value for name, value in attributes.items() if name not in RESERVED}
    kept = _object(row["custom_parameters_json_str"])
    found = _unlike(place, row, columns)
    if not same_value({name: kept.get(name) for name in custom}, custom) or not custom.keys() <= kept.keys():
        found.append(f"{place}: custom parameters are {kept}, sent {custom}")
    if reserved := RESERVED.keys() & kept.keys():
        found.append(f"{place}: {sorted(reserved)} have columns of their own")
    set_now = {name: each["value"] for name, each in _object(row["user_properties_json_str"]).items()}
    wanted = event.get("user_attributes", {})
    if not same_value({name: set_now.get(name) for name in wanted}, wanted):
        found.append(f"{place}: user attributes are {set_now}, set {wanted}")
    return found


def _unlike(place: str, row: Row, wanted: Row) -> list[str]:
    """Columns with another value than the one sent; numbers and booleans are shown as JSON does in a text column."""
    texts = {name for name in EVENT.schema.names if str(EVENT.schema.field(name).type) == "string"}
    shown = {name: _text(value) if name in texts else value for name, value in wanted.items()}
    return [
        f"{place}: {name} is {row[name]!r}, sent {value!r}" for name, value in shown.items() if not same_value(row[name], value)
    ]


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _object(text: str | None) -> Row:
    return dict(json.loads(text)) if text else {}
