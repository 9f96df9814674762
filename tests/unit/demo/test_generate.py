"""What the generator says it wrote is what the pipeline finds, whichever apps there are."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pyarrow as pa
import pytest

from streaming_app.demo.apps import APPS
from streaming_app.demo.generate import generate
from streaming_app.derive import session_rows, user_rows
from streaming_app.plugins.payload import payload_bytes
from tests.support.lake import LocalPipeline

UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOCUMENTATION = [ip_network(each) for each in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
EVERY_REASON = {"in_future", "malformed_event", "malformed_line", "malformed_payload", "too_late", "unknown_app"}
OF_THE_SDK = {"malformed_line", "unknown_app"}
MORE_APPS = "".join(f"  {app_id}: {{transformer: {app.transformer}}}\n" for app_id, app in APPS.items() if app_id != "shop")
ALL = tuple(APPS)

Line = dict[str, Any]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.gz"))}


def requests_of(folder: Path) -> Iterator[tuple[str, Line]]:
    """The lines that are JSON, each with its file."""
    for name, content in files_of(folder).items():
        for line in gzip.decompress(content).splitlines():
            try:
                yield name, json.loads(line)
            except ValueError:
                continue


def made_lake(folder: Path, events: int, **arguments: Any) -> tuple[Any, LocalPipeline, dict[str, Any]]:
    """What was generated, the lake that it is in, and what the batch says of itself."""
    made = generate(folder / "raw", events, until=UNTIL, **arguments)
    pipeline = LocalPipeline(folder, MORE_APPS)
    return made, pipeline, pipeline.ingest(*(folder / "raw").rglob("*.gz"), tasks=2)


def by_app(pipeline: LocalPipeline, sql: str) -> dict[str, int]:
    """A count of each app; a broken line belongs to no app, so it counts for the SDK's, which alone has some."""
    found = pipeline.query(f"SELECT coalesce(replace(app_id, '-staging', ''), 'shop') AS app, {sql} GROUP BY app")
    return dict(zip(*(column.to_pylist() for column in found.columns), strict=True))


def users_and_sessions(pipeline: LocalPipeline) -> tuple[pa.Table, pa.Table]:
    events, changes = (pipeline.query(f"SELECT * FROM {table}") for table in ("event", "change"))
    users = pa.concat_tables([user_rows.aggregate_events(events), user_rows.aggregate_changes(changes)])
    states = session_rows.mark_as_new(session_rows.aggregate_events(events, pipeline.config.sessions))
    return user_rows.combine_aggregates(users), session_rows.rows_from_aggregates(states, pipeline.config.sessions, 0)


@pytest.mark.parametrize(
    ("events", "seed", "apps"),
    [
        (200, 7, ALL),
        (200, 8, ALL),
        (3_000, 7, ALL),
        (3_000, 8, ALL),
        (3_000, 7, ("shop",)),
        (1_500, 9, ("shop-gtm",)),
        (1_500, 9, ("shop-sensors", "shop-gtm")),
    ],
)
def test_the_pipeline_finds_exactly_what_was_announced(events: int, seed: int, apps: tuple[str, ...], tmp_path: Path) -> None:
    made, pipeline, metrics = made_lake(tmp_path, events, seed=seed, apps=apps)
    assert made.events == events
    assert (metrics["received"], metrics["written"], metrics["duplicate"]) == (made.received, made.written, made.resent)
    assert json.loads(metrics["quarantined_by_reason"]) == made.broken
    assert (metrics["files"], metrics["lines"], metrics["items"]) == (made.files, made.lines, made.items)
    users, sessions = users_and_sessions(pipeline)
    found = {
        "events": by_app(pipeline, "count(DISTINCT event_id) FROM event"),
        "changes": by_app(pipeline, "count(DISTINCT event_id) FROM change"),
        "items": by_app(pipeline, "count(DISTINCT (event_id, item_index)) FROM item"),
        "things": by_app(pipeline, "count(DISTINCT (item_type, item_id)) FROM change WHERE item_id IS NOT NULL"),
        "users": Counter(users["app_id"].to_pylist()),
        "sessions": Counter(sessions["app_id"].to_pylist()),
    }
    broken: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for reason in EVERY_REASON:
        for app, count in by_app(pipeline, f"count(*) FROM quarantine WHERE reason = '{reason}'").items():
            broken[app][reason] = count
    for app, counts in made.apps.items():
        told = {name: value for name, value in asdict(counts).items() if name in found}
        assert {name: by.get(app, 0) for name, by in found.items()} == told
        assert broken[app] == counts.broken


@pytest.mark.parametrize("seed", range(5))
def test_even_little_data_has_dirt_of_every_kind(seed: int, tmp_path: Path) -> None:
    made = generate(tmp_path, 200, seed=seed, until=UNTIL, apps=ALL)
    for app, counts in made.apps.items():
        assert set(counts.broken) == (EVERY_REASON if app == "shop" else EVERY_REASON - OF_THE_SDK)
        assert counts.resent >= 1


def test_times_lie_in_the_span(tmp_path: Path) -> None:
    """Also those of clients with a wrong clock, once they are corrected."""
    _, pipeline, _ = made_lake(tmp_path, 1_500, apps=ALL)
    begin = (UNTIL - timedelta(hours=24)).timestamp() * 1_000
    found = {
        "received": f"ingest_time_msec BETWEEN {begin} AND {UNTIL.timestamp() * 1_000 - 1}",
        "future": "event_time_msec > ingest_time_msec + 999",
        "corrected": "process_info LIKE '%event_timestamp_adjusted%'",
        "offline": "ingest_time_msec - event_time_msec > 2 * 3600000",
        "unreadable": "process_info LIKE '%\"unreadable\"%'",
    }
    for name, where in found.items():
        counts = by_app(pipeline, f"count(*) FROM event WHERE {where}")
        if name == "received":
            assert counts == {"shop": 900, "shop-gtm": 375, "shop-sensors": 225}
        else:
            assert set(counts) == ({"shop", "shop-sensors"} if name in ("corrected", "offline") else set()), name


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    made = [
        generate(tmp_path / "a", 1_000, until=UNTIL, apps=ALL),
        generate(tmp_path / "b", 1_000, until=UNTIL + timedelta(minutes=59), apps=ALL, processes=2),
    ]
    assert made[0] == made[1]
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    generate(tmp_path / "c", 1_000, until=UNTIL, apps=ALL, seed=8)
    assert files_of(tmp_path / "c") != files_of(tmp_path / "a")


def test_the_time_of_day_changes_no_count(tmp_path: Path) -> None:
    """The README shows counts of a demo that may run at any time."""
    made = [generate(tmp_path / str(hour), 2_000, until=UNTIL + timedelta(hours=hour), apps=ALL) for hour in (0, 7, 13)]
    assert made[0].apps == made[1].apps == made[2].apps


@pytest.mark.parametrize(
    ("events", "files", "written"), [(1, None, 1), (3, None, 3), (500, None, 6), (500, 1, 1), (500, 5, 5), (500, 60, 60)]
)
def test_files(events: int, files: int | None, written: int, tmp_path: Path) -> None:
    made = generate(tmp_path, events, files=files, until=UNTIL, apps=ALL)
    content = files_of(tmp_path)
    assert made.events == events
    assert made.files == len(content) == written
    assert made.stored_bytes == sum(map(len, content.values()))
    assert made.lines == sum(len(gzip.decompress(each).splitlines()) for each in content.values())
    for name, request in requests_of(tmp_path):
        hour = datetime.fromtimestamp(request["ingest_time"] / 1_000, UTC)
        assert name.startswith(f"{hour:year=%Y/month=%m/day=%d/hour=%H}/")


def test_fewer_events_than_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot fill"):
        generate(tmp_path, 3, files=4)


def test_requests_of_the_sdk_are_those_of_real_clients(tmp_path: Path) -> None:
    made = generate(tmp_path, 3_000, until=UNTIL)
    requests = [request for _, request in requests_of(tmp_path)]
    assert 950 < made.decoded_bytes / made.events < 1_250
    assert 10 < made.events / len(requests) < 18
    assert 0.7 < sum(request["compression"] == "gzip" for request in requests) / len(requests) < 0.95
    for request in requests:
        assert request["client_timestamp"].isdecimal()
        assert f"upload_timestamp={request['client_timestamp']}" in request["uri"]


def elements_of(request: Line) -> list[dict[str, Any]]:
    """The elements of a payload that is not broken."""
    try:
        payload = json.loads(payload_bytes(request["data"], request["uri"], 10_000_000))
    except ValueError:
        return []
    return [each for each in (payload if isinstance(payload, list) else [payload]) if isinstance(each, dict)]


def has(**values: Any) -> Callable[[Line, dict[str, Any]], bool]:
    """Of an element: keys with a value, or, where it is ``...``, with any."""
    return lambda _, each: all(each.get(key) if value is ... else each.get(key) == value for key, value in values.items())


def server_told(name: str) -> Callable[[Line, dict[str, Any]], bool]:
    return lambda _, each: name in each.get("x-sst-system_properties", {})


def form(way: str) -> Callable[[Line, dict[str, Any]], bool]:
    """The form's keys, each with its first letters where it is no payload."""
    return lambda request, _: re.sub(r"(data(?:_list)?)=[^&]*", r"\1", request["data"]).startswith(way)


SEEN: dict[str, dict[str, Callable[[Line, dict[str, Any]], Any]]] = {
    "shop-gtm": {
        "an object": lambda request, _: request["data"][0] == "{",
        "an array": lambda request, _: request["data"].count('"event_name"') > 1,
        "a frozen agent whose truth is in the hints": lambda _, each: (
            "Android 10; K" in each["user_agent"]
            and each["client_hints"].get("platform_version", "") > "10"
            and each["client_hints"]["model"]
        ),
        "hints as headers spell them": lambda _, each: each.get("client_hints", {}).get("platform", "")[:1] == '"',
        "no hints": lambda _, each: "Firefox" in each["user_agent"] and "client_hints" not in each,
        "a campaign": lambda _, each: "utm_campaign=" in each["page_location"],
        "another click id": lambda _, each: "msclkid=" in each["page_location"],
        "a first visit": lambda _, each: each.get("x-ga-system_properties") == {"fv": "1", "ss": "1"},
        "a session": lambda _, each: each.get("x-ga-system_properties") == {"ss": "1"},
        "consent": server_told("consent"),
        "a start": server_told("request_start_time_ms"),
        "no start": lambda *told: not server_told("request_start_time_ms")(*told),
        "a login": has(event_name="login", user_id=..., **{"x-ga-mp2-user_properties": ...}),
        "a purchase": has(event_name="purchase", value=..., currency="USD", items=..., transaction_id=...),
        "a place": has(event_location=...),
        "what else": has(client_id=..., ga_session_id=..., ga_session_number=..., engagement_time_msec=..., page_referrer=...),
        "more": has(page_title=..., language="zh-cn", screen_resolution=..., ip_override=..., search_term=...),
    },
    "shop-sensors": {
        "an image": lambda request, _: (
            request["method"] == "GET" and request["data"] == "" and re.search(r"&data=[\w%]+&ext=crc%3D-?\d+$", request["uri"])
        ),
        "a form": form("data&ext=crc%3D"),
        "a batch": lambda request, _: request["data"].startswith("data_list=") and "&" not in request["data"],
        "a server": form("data&gzip=1"),
        "a server's batch": form("data_list&gzip=1"),
        "a first visit": lambda _, each: each.get("properties", {}).get("$is_first_time") is True,
        "signed up in the browser": has(type="track_signup", original_id=..., login_id=..., anonymous_id=...),
        "known after it": has(type="track", event="$pageview", login_id=..., anonymous_id=...),
        "signed up at the server": lambda _, each: each["type"] == "track_signup" and each["lib"]["$lib"] == "python",
        **{name: has(type="track", event=name) for name in ("$pageview", "$WebClick", "ViewProduct", "SubmitOrder")},
        **{
            kind: has(type=kind)
            for kind in (
                "profile_set",
                "profile_set_once",
                "profile_increment",
                "profile_append",
                "profile_unset",
                "profile_delete",
            )
        },
        **{kind: has(type=kind, item_type="product", item_id=...) for kind in ("item_set", "item_delete")},
    },
}
"""What must occur: a question to a request and one of its elements."""


@pytest.mark.parametrize("app", SEEN)
def test_requests_of_other_clients(app: str, tmp_path: Path) -> None:
    generate(tmp_path, 3_000, until=UNTIL, apps=(app,))
    requests = [request for _, request in requests_of(tmp_path)]
    told = [(request, each) for request in requests for each in elements_of(request)]
    assert [name for name, question in SEEN[app].items() if not any(question(*each) for each in told)] == []
    assert {request["upload_timestamp"] for request in requests} == {None}
    assert not any("client_timestamp" in request for request in requests)


def test_all_addresses_are_reserved_for_documentation(tmp_path: Path) -> None:
    generate(tmp_path, 1_000, until=UNTIL, apps=ALL)
    for _, request in requests_of(tmp_path):
        own = [each["ip_override"] for each in elements_of(request) if "ip_override" in each]
        for address in [*request["ip"].split(", "), *own]:
            assert any(ip_address(address) in network for network in DOCUMENTATION)


def copies_of(folder: Path, app: str, key: Callable[[Line], Any]) -> list[list[Line]]:
    """Requests that were sent more than once."""
    generate(folder, 3_000, until=UNTIL, apps=(app,))
    copies: defaultdict[Any, list[Line]] = defaultdict(list)
    for _, request in requests_of(folder):
        copies[key(request)].append(request)
    resent = [each for each in copies.values() if len(each) > 1]
    assert resent
    return resent


def test_copies_of_the_sdk_differ_only_in_what_the_server_adds(tmp_path: Path) -> None:
    own = {"rid", "timestamp", "date", "ingest_time", "server_ingest_time"}
    for first, again, *_ in copies_of(tmp_path, "shop", lambda request: request["uri"] + request["data"]):
        assert first["rid"] != again["rid"]
        assert {key: value for key, value in first.items() if key not in own}.items() <= again.items()


def test_copies_of_a_tag_server_are_the_same_line(tmp_path: Path) -> None:
    """The ids of its events are made of the request's."""
    for first, again, *_ in copies_of(tmp_path, "shop-gtm", lambda request: request["rid"]):
        assert first == again


def test_repeated_sensors_requests_have_a_new_flush_time(tmp_path: Path) -> None:
    def messages(request: Line) -> str:
        told = [{key: value for key, value in each.items() if key != "_flush_time"} for each in elements_of(request)]
        return json.dumps(told) if told else request["rid"]

    for first, again, *_ in copies_of(tmp_path, "shop-sensors", messages):
        assert first["rid"] != again["rid"]
        assert (first["data"], first["uri"]) != (again["data"], again["uri"]) or first["platform"] == "Server"


def test_the_checksum_is_of_the_payload(tmp_path: Path) -> None:
    """Java's hash of a string, as in payloads captured from the SDK."""
    generate(tmp_path, 200, until=UNTIL, apps=("shop-sensors",))
    images = [parse_qs(request["uri"]) for _, request in requests_of(tmp_path) if request["method"] == "GET"]
    assert images
    for query in images:
        text, hashed = query["data"][0].replace(" ", "+"), 0
        for character in text:
            hashed = (hashed * 31 + ord(character)) & 0xFFFFFFFF
        assert query["ext"] == [f"crc={hashed - (hashed >> 31 << 32)}"]
        assert base64.b64decode(text)
