"""What genuine Sensors Data SDKs sent, against what their drivers know they did (``truth.json``). Nothing here knows an id or a count."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from streaming_app.model.change import Change
from streaming_app.model.event import Event
from streaming_app.model.request import parse_request
from streaming_app.plugins.transformer import Rejected
from streaming_app.transformers.sensors_data import SensorsData

from .compare import same_value
from .fixture_files import FIXTURES, Row, load_json, skip_without_recorded_cases

skip_without_recorded_cases()

Truth = dict[str, Any]
Result = Event | Change | Rejected

CLIENTS = ("sensors_js", "sensors_python")
SIGN_UP = "track_signup"
COLUMNS = {
    "$url": "page_view_page_url",
    "$title": "page_view_page_title",
    "$referrer": "page_view_page_referrer",
    "$screen_width": "device_screen_width",
    "$screen_height": "device_screen_height",
    "$os": "device_operating_system",
    "$os_version": "device_operating_system_version",
    "$model": "device_mobile_model_name",
    "$manufacturer": "device_manufacturer",
    "$network_type": "device_network_type",
    "$browser_language": "device_system_language",
    "$city": "geo_city",
    "$carrier": "device_carrier",
    "$app_version": "app_version",
}
"""Properties with a column that holds them as they are, from the reference's description (not from the product's tables)."""
MEANT: dict[str, tuple[str, float]] = {
    "$timezone_offset": ("device_time_zone_offset_seconds", -60),
    "$event_duration": ("user_engagement_time_msec", 1000),
}
"""Those whose column has another unit."""
FLAGS = {"$wifi", "$is_first_time"}
"""Those that say something of the whole event."""


@dataclass(frozen=True)
class Made:
    """What became of one message: its place (file, line and element), and the results."""

    record: str
    app_id: str | None
    result: Result
    besides: list[Result]


@pytest.fixture(scope="module", params=CLIENTS)
def truth(request: pytest.FixtureRequest) -> Truth:
    return dict(load_json("real/truth.json")[request.param])


@pytest.fixture(scope="module")
def made(truth: Truth) -> list[Made]:
    return [each for each in _made() if each.app_id in truth["app_ids"]]


def _lines() -> Iterator[tuple[str, bytes]]:
    root = FIXTURES / "real"
    for file in sorted((root / "sensors").rglob("*.gz")):
        for number, line in enumerate(gzip.decompress(file.read_bytes()).splitlines(), 1):
            yield f"{file.relative_to(root)}:{number}", line


def _made() -> Iterator[Made]:
    transformer = SensorsData()
    for record, line in _lines():
        request = parse_request(line)
        by_position: dict[int | None, list[Result]] = {}
        for result in transformer.transform(request):
            by_position.setdefault(result.position, []).append(result)
        for first, *besides in by_position.values():
            yield Made(record, request.app_id, first, besides)


def _name(result: Result) -> str | None:
    return None if isinstance(result, Rejected) else result.event_name


def test_every_message_has_a_result(made: list[Made], truth: Truth) -> None:
    """Those in the addresses of images included: ``counts`` counts them, ``counts_in_data`` does not."""
    counted = Counter(_name(each.result) for each in made)
    assert counted == truth["observed"]["counts"]
    assert {name for name, least in truth["expected_minimum_counts"].items() if counted[name] < least} == set()
    assert all((_name(each.result) or "").startswith(("profile_", "item_")) == isinstance(each.result, Change) for each in made)


def test_messages_of_each_user(made: list[Made], truth: Truth) -> None:
    ours = Counter(
        (each.result.user_pseudo_id or "none", each.result.event_name) for each in made if not isinstance(each.result, Rejected)
    )
    sent = {(user, name): number for user, names in truth["observed"]["counts_by_user"].items() for name, number in names.items()}
    assert ours == sent


def test_nothing_is_unreadable(made: list[Made]) -> None:
    assert {name for each in made for name in getattr(each.result, "notes", None) or ()} == set()


def test_triggered(made: list[Made], truth: Truth) -> None:
    """Name, user, time and properties of everything the driver did, whatever way it went."""
    triggered = [each for each in truth["events_triggered"] if each.get("captured")]
    assert {each["captured"]["wire"] for each in triggered} == truth["observed"]["wire_forms"].keys()
    found = [line for each in triggered for line in _differences(each, made)]
    assert not found, "\n".join(found)


def _differences(did: Truth, made: list[Made]) -> list[str]:
    captured, name = did["captured"], did["event"] or did["type"]
    key = (captured["record"], name, captured["time"])
    place = f"{name} ({captured['record']})"
    matching = [each for each in made if (each.record, _name(each.result), getattr(each.result, "event_time_msec", None)) == key]
    if len(matching) != 1:
        return [f"{place}: {len(matching)} results instead of one"]
    result = matching[0].result
    wanted: Row = {"app_id": did["app_id"], "user_pseudo_id": did["distinct_id"]}
    if isinstance(result, Change):
        wanted |= {key: did[key] for key in ("item_type", "item_id") if key in did}
        kept, sent = json.loads(result.properties_json_str or ""), {**did["properties"]}
        sent.pop("$is_login_id", None)  # it says what the distinct id is
        found = [] if same_value(kept, sent) else [f"{place}: attributes are {kept}, sent {sent}"]
    else:
        wanted |= {COLUMNS[key]: value for key, value in did["properties"].items() if key in COLUMNS}
        wanted |= {column: did["properties"][key] * unit for key, (column, unit) in MEANT.items() if key in did["properties"]}
        kept = json.loads(getattr(result, "custom_parameters_json_str", None) or "{}")
        sent = {key: value for key, value in did["properties"].items() if key not in {*COLUMNS, *MEANT, *FLAGS}}
        sent |= did.get("identities", {}) | ({"original_id": did["original_id"]} if "original_id" in did else {})
        found = [
            f"{place}: parameter {key} is {kept.get(key)!r}, sent {value!r}"
            for key, value in sent.items()
            if key not in kept or not same_value(kept[key], value)
        ]
        first = [_name(each) for each in matching[0].besides if isinstance(each, Event)]
        if did["properties"].get("$is_first_time") and first != ["_first_open"]:
            found.append(f"{place}: it is the first time, but there is no first open")
    columns = msgspec.structs.asdict(result)
    return found + [
        f"{place}: {column} is {columns[column]!r}, sent {value!r}"
        for column, value in wanted.items()
        if not same_value(columns[column], value)
    ]


def test_logins(made: list[Made], truth: Truth) -> None:
    """A sign-up tells whose the anonymous id is; no anonymous id is a login id."""
    users = truth["users"].values()
    known = {(user["anonymous_id"], user["login_id"]) for user in users}
    told = {(each.user_pseudo_id, each.user_id) for one in made for each in one.besides if isinstance(each, Change)}
    assert told == known
    logins = {login for _, login in known}
    events = [each.result for each in made if isinstance(each.result, Event)]
    assert {(event.user_pseudo_id, event.user_id) for event in events if event.user_id} == {(login, login) for login in logins}
    assert {event.user_pseudo_id for event in events if not event.user_id} == {anonymous for anonymous, _ in known}


def test_sent_again(made: list[Made]) -> None:
    """Every request once more, as after a lost answer: another request id, a later receipt, the same events and changes."""
    transformer, again = SensorsData(), []
    for _, line in _lines():
        request = parse_request(line)
        request.rid, request.ingest_time = f"again-{request.rid}", (request.ingest_time or 0) + 60_000
        again += [each.event_id for each in transformer.transform(request) if not isinstance(each, Rejected)]
    ours = [each.event_id for one in made for each in (one.result, *one.besides) if not isinstance(each, Rejected)]
    assert len(set(ours)) == len(ours)
    assert set(ours) <= set(again)
    assert len(set(again)) == len(again)
