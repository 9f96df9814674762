"""Hypothesis strategies: requests of all three clients in which any number, time or text is as extreme as a client can make it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from streaming_app.model.times import LATEST_MS
from streaming_app.transformers.clickstream_sdk import fields as sdk
from streaming_app.transformers.gtm_server import fields as gtm
from streaming_app.transformers.sensors_data import fields as sensors
from tests.support.raw import NOW, event, line

DAY = 86_400_000
NUMBERS: tuple[Any, ...] = (
    *(0, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**53, -(2**53), 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64),
    *(10**30, -(10**30), 10**400, -(10**17), -4 * 10**17, 3 * 10**14, -3 * 10**14, 10**20),
    *(1e30, -1e30, 1e308, -1e308, 5e-324, 0.5, -0.0, 1e18),
    *(NOW // 1000, NOW * 1000, NOW * 1_000_000, NOW - 1, NOW + 1),  # clocks in s, µs, ns
    *(-62_135_596_800_000, -31_536_000_000, 253_402_300_799_999, 253_402_214_400_000, 7_258_118_399_999, 7_258_118_400_000),
    *("1e30", "99999999999999999999", "-1", "", "null", "NaN", "0x10", True, False, None, [], {}, [1], {"a": 1}),
)
"""Years 1, 1969, 2199, 2200 and 9999 among them."""

TEXTS: tuple[Any, ...] = (
    *(
        "",
        " ",
        "a",
        "a" * 255,
        "é" * 255,
        "a" * 256,
        "x" * 65_536,
        "é" * 65_536,
        "\x00",
        "\ud800",
        "\u202e",
        "a\tb\nc",
        '"',
        "\\",
        "'",
    ),
    *("{", "[", "null", "%", "https://", "https://exa mple/%ff?a&a&a=%", "javascript:void(0)", "//", "?" * 3_000, "/" * 3_000),
    *(0, -1, 2**64, 1.5, True, None, [], {}, ["x"], {"value": "x"}),
)

VALUES = st.sampled_from([*NUMBERS, *TEXTS])
TIMES = st.sampled_from([NOW - 1_000, NOW - 5_000, *NUMBERS])


def _mostly(ordinary: Any, strange: st.SearchStrategy[Any] = VALUES) -> st.SearchStrategy[Any]:
    return st.one_of(st.just(ordinary), st.just(ordinary), strange)


def _some_of(keys: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(sorted(keys)), VALUES, max_size=6)


@st.composite
def _sdk_event(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(_mostly(draw(st.sampled_from(["_page_view", "_user_engagement", "_profile_set", "_first_open", "_scroll"]))))
    properties = {key: {"value": draw(VALUES), "set_timestamp": draw(TIMES)} for key in ("_user_first_touch_timestamp", "tier")}
    return {
        **draw(_some_of([*sdk.TOP, *sdk.TOP_ALIASES])),
        "event_id": draw(_mostly(f"e-{draw(st.integers(0, 9))}")),
        "event_type": name,
        "app_id": "shop",
        "unique_id": draw(_mostly(f"u-{draw(st.integers(0, 2))}")),
        "timestamp": draw(TIMES),
        "attributes": draw(_some_of([*sdk.ATTRIBUTES, *sdk.ATTRIBUTE_FALLBACKS, *sdk.DEFERRED]))
        | {"_session_id": draw(_mostly("s-1"))},
        "user": draw(st.one_of(st.just(properties), VALUES)),
        "items": draw(st.one_of(st.none(), st.just([{"id": "i", "price": draw(VALUES), "quantity": draw(VALUES)}]), VALUES)),
    }


@st.composite
def _gtm_event(draw: st.DrawFn) -> dict[str, Any]:
    return {
        **draw(_some_of(gtm.CONSUMED)),
        "event_name": draw(_mostly("page_view")),
        "client_id": draw(_mostly("c-1")),
        "x-sst-system_properties": {"request_start_time_ms": draw(TIMES)},
        "x-ga-system_properties": draw(st.one_of(st.just({"fv": "1", "ss": "1"}), VALUES)),
        "x-ga-mp2-user_properties": draw(st.one_of(st.just({"age": draw(VALUES), "tier": draw(VALUES)}), VALUES)),
        "client_hints": draw(st.one_of(st.just({"platform": draw(VALUES), "brands": [{"brand": draw(VALUES)}]}), VALUES)),
        "items": draw(st.one_of(st.none(), st.just([{"item_id": "i", "price": draw(VALUES)}]), VALUES)),
        "screen_resolution": draw(VALUES),
    }


@st.composite
def _sensors_message(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["track", "track", "track_signup", *sorted(sensors.CHANGES)]))
    return {
        "type": kind,
        "event": draw(_mostly("$pageview")),
        "time": draw(TIMES),
        "_flush_time": draw(TIMES),
        "_track_id": draw(st.integers(1, 9)),
        "distinct_id": draw(_mostly("d-1")),
        "item_id": draw(_mostly("i-1")),
        "item_type": "book",
        "properties": draw(st.one_of(_some_of([*sensors.PROPERTIES, *sensors.KEPT, "n"]), VALUES)),
        "lib": draw(st.one_of(_some_of(sensors.LIB), VALUES)),
        "items": draw(st.one_of(st.none(), VALUES)),
    }


@st.composite
def extreme_requests(draw: st.DrawFn) -> list[bytes]:
    """Raw lines of some requests of each client, the envelope as strange as the events."""
    kinds = (("shop", _sdk_event()), ("web-gtm", _gtm_event()), ("sensors", _sensors_message()))
    lines = []
    for number in range(draw(st.integers(1, 4))):
        app_id, events = draw(st.sampled_from(kinds))
        payload = json.dumps(draw(st.lists(events, min_size=1, max_size=4)))
        envelope = {
            "appId": app_id,
            "rid": draw(_mostly(f"r-{number}")),
            "ingest_time": draw(_mostly(NOW, TIMES)),
            "client_timestamp": draw(_mostly(str(NOW), TIMES)),
            "ua": draw(_mostly("Mozilla/5.0")),
            "ip": draw(_mostly("203.0.113.7")),
            "uri": f"/collect?appId={app_id}",
        }
        lines.append(line(payload, **envelope))
    return lines


def _profile(**properties: Any) -> dict[str, Any]:
    return event("e", event_type="_profile_set", user={name: {"value": value} for name, value in properties.items()})


def _engagement(event_id: str, value: int) -> dict[str, Any]:
    return event(event_id, event_type="_user_engagement", attributes={"_session_id": "s", "_engagement_time_msec": value})


_LAST_DAYS = {"no ingest time, 9999": 253_402_300_799_999, "no ingest time, 9999-12-30": 253_402_128_000_000, "2199": LATEST_MS}
STOPPED_ONCE: dict[str, list[bytes]] = {
    "first touch in µs": [line(_profile(_user_first_touch_timestamp=NOW * 1_000))],
    "first touch in ns": [line(_profile(_user_first_touch_timestamp=NOW * 1_000_000))],
    "first touch far before all calendars": [line(_profile(_user_first_touch_timestamp=-4 * 10**17))],
    "first touch after Python's calendar": [line(_profile(_user_first_touch_timestamp=3 * 10**14))],
    "first touch before Python's calendar": [line(_profile(_user_first_touch_timestamp=-3 * 10**14))],
    "session start": [line(event("e", attributes={"_session_id": "s", "_session_start_timestamp": -(10**17)}))],
    "two endless engagements": [line(_engagement("a", 2**63 - 1), _engagement("b", 2**63 - 1))],
    "two endless engagements of GTM": [
        line(
            [{"event_name": "user_engagement", "client_id": "c", "ga_session_id": "1", "engagement_time_msec": 2**63 - 1}] * 2,
            appId="web-gtm",
        )
    ],
    **{name: [line(event("e", timestamp=time), ingest_time=None)] for name, time in _LAST_DAYS.items()},
}
"""Requests that stopped ingest or derive of every app, before numbers and times were bounded."""
