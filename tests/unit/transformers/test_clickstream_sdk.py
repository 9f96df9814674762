"""What each key of a Clickstream SDK payload becomes: a column in its type, a custom parameter, or a note that it was unreadable.

Nothing that a client sent is lost, and nothing it sent keeps the rest of its event from being read.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from streaming_app.errors import InputError, MalformedPayload, Reason, TooLarge
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.plugins.transformer import Limits, Rejected
from streaming_app.transformers.clickstream_sdk import ClickstreamSdk
from streaming_app.transformers.clickstream_sdk import fields as sdk_fields
from tests.support.raw import NOW

LEAST = {"event_id": "e", "event_type": "_page_view", "app_id": "shop", "timestamp": NOW}
"""The keys that an event must have."""

Columns = dict[str, Any]


def read(element: dict[str, Any], limits: Limits | None = None, uri: str | None = None) -> Event:
    """The one event of a payload of one element."""
    [event] = ClickstreamSdk(limits).transform(Request(data=json.dumps([element]), uri=uri))
    assert isinstance(event, Event), event
    return event


def filled(struct: msgspec.Struct) -> Columns:
    """The fields that have a value, JSON text parsed, items likewise."""
    columns = {name: value for name, value in msgspec.structs.asdict(struct).items() if value is not None}
    for name in columns.keys() & {"custom_parameters_json_str", "user_properties_json_str", "traffic_source_clid"}:
        columns[name] = json.loads(columns[name])
    if "items" in columns:
        columns["items"] = [filled(item) for item in columns["items"]]
    return columns


def attributes(**sent: Any) -> dict[str, Any]:
    return {"attributes": sent}


def unreadable(**values: Any) -> Columns:
    return {"notes": {"unreadable": values}}


def clid(value: str) -> Columns:
    return {"traffic_source_clid": {"type": "gclid", "value": value}}


def custom(**values: Any) -> Columns:
    return {"custom_parameters_json_str": values}


def event_type(name: str, **sent: Any) -> dict[str, Any]:
    return {"event_type": name, "attributes": sent}


def prop(value: Any, set_time: int | None = None) -> Columns:
    return {"value": value, "set_time_msec": set_time}


URL = "page_view_page_url"
TRAFFIC = "traffic_source_"
BASIS = {"event_id": "e", "event_name": "_page_view", "app_id": "shop", "event_time_msec": NOW, "platform": "Web", "position": 0}

# name: (keys of the element besides the least, columns filled besides the basis)
CASES: dict[str, tuple[dict[str, Any], Columns]] = {
    "nothing else": ({}, {}),
    "null is nothing": ({"os_version": None, "attributes": None, "user": None, "items": None, "screen_width": None}, {}),
    # Types
    "numeric text": (
        {"timestamp": str(NOW), "screen_width": " 1080 ", "screen_height": "1080.9", "event_value": "1e2"},
        {"device_screen_width": 1080, "device_screen_height": 1080, "event_value": 100.0},
    ),
    "fractions are cut towards zero": (
        {"screen_width": 99.9, "screen_height": -0.9},
        {"device_screen_width": 99, "device_screen_height": 0},
    ),
    "numbers and booleans as text": (
        {"os_version": 14, "app_version": 1.5, "carrier": True, "app_title": ["a", 1]},
        {"device_operating_system_version": "14", "app_version": "1.5", "device_carrier": "true", "app_title": '["a",1]'},
    ),
    "large integers as text keep their digits": (attributes(_session_number=str(2**53 + 1)), {"session_number": 2**53 + 1}),
    "unreadable": (
        {
            "screen_width": "wide",
            "zone_offset": [],
            **attributes(_session_number="first", _outbound="maybe", _value={"amount": 1}),
        },
        unreadable(screen_width="wide", zone_offset=[], _session_number="first", _outbound="maybe", _value={"amount": 1}),
    ),
    "empty and null text are nothing": (
        {"screen_width": "", **attributes(_session_number="null", _outbound="", _engagement_time_msec="null")},
        {},
    ),
    "not finite": ({"event_value": "nan", "screen_width": "-inf"}, unreadable(event_value="nan", screen_width="-inf")),
    **{
        f"boolean {sent!r}": (attributes(_outbound=sent), {"outbound_link": meant})
        for meant, spellings in ((True, (True, 1, "1", "TRUE")), (False, (False, 0, "0", "false")))
        for sent in spellings
    },
    # Money
    "money": (attributes(_value=9.5, _currency="EUR"), {"event_value": 9.5, "event_value_currency": "EUR"}),
    "money without a currency": (attributes(_value=3), {"event_value": 3.0}),
    "no money": (attributes(_value=0), {"event_value": 0.0}),
    "money whose key says its currency": ({"event_value_in_usd": "3"}, {"event_value": 3.0, "event_value_currency": "USD"}),
    "no money whose key says its currency": ({"event_value_in_usd": "-"}, unreadable(event_value_in_usd="-")),
    "a currency without money": (attributes(_currency="EUR"), {"event_value_currency": "EUR"}),
    "money of both kinds": (
        {"event_value": 1, "event_value_currency": "EUR", **attributes(_value=2)},
        {"event_value": 2.0, "event_value_currency": "EUR"},
    ),
    "unreadable money leaves the readable": (
        {"event_value": 5, **attributes(_value="five")},
        {"event_value": 5.0, **unreadable(_value="five")},
    ),
    # Aliases and fallbacks
    "aliases": (
        {"user_pseudo_id": "u", "advertising_id": "ad", "event_value_in_usd": 2, "currency": "JPY"},
        {"user_pseudo_id": "u", "device_advertising_id": "ad", "event_value": 2.0, "event_value_currency": "JPY"},
    ),
    "keys win over aliases, whatever their order": (
        {"event_name": "alias", "user_pseudo_id": "alias", "unique_id": "u", "event_value_in_usd": 1, "event_value": 2},
        {"user_pseudo_id": "u", "event_value": 2.0},
    ),
    "an alias where the key is null": ({"unique_id": None, "user_pseudo_id": "alias"}, {"user_pseudo_id": "alias"}),
    "fallbacks": (
        attributes(_session_start_time_msec=5, _install_channel="store", _utm_source="s", _utm_medium="m", _utm_campaign="c")
        | {"event_value": None},
        {
            "session_start_time_msec": 5,
            "app_install_source": "store",
            f"{TRAFFIC}source": "s",
            f"{TRAFFIC}medium": "m",
            f"{TRAFFIC}campaign": "c",
        },
    ),
    "utm of further kinds": (
        attributes(_utm_content="co", _utm_term="t", _utm_id="i", _utm_source_platform="p"),
        {f"{TRAFFIC}content": "co", f"{TRAFFIC}term": "t", f"{TRAFFIC}campaign_id": "i", f"{TRAFFIC}clid_platform": "p"},
    ),
    "attributes win over fallbacks, whatever their order": (
        attributes(
            _utm_source="utm",
            _traffic_source_source="own",
            _session_start_time_msec=5,
            _session_start_timestamp="6",
            _app_install_source="second",
            _install_channel="third",
            _app_install_channel="first",
        ),
        {f"{TRAFFIC}source": "own", "session_start_time_msec": 6, "app_install_source": "first"},
    ),
    "the client's traffic is kept whole, and what is missing comes from utm": (
        attributes(_traffic_source_source="own", _traffic_source_category="Search", _utm_source="utm", _utm_medium="cpc"),
        {f"{TRAFFIC}source": "own", f"{TRAFFIC}category": "Search", f"{TRAFFIC}medium": "cpc"},
    ),
    "click id": (attributes(_gclid="g-1"), clid("g-1")),
    "click id that is a number": (attributes(_gclid=42), clid("42")),
    "the client's own click id": (
        attributes(_gclid="g-1", _traffic_source_clid='{"type":"dclid","value":"d"}'),
        {f"{TRAFFIC}clid": {"type": "dclid", "value": "d"}},
    ),
    "empty click id": (attributes(_gclid=""), {}),
    # Attributes whose column depends on the event
    "page view": (
        event_type("_page_view", _engagement_time_msec="7", _previous_timestamp=5, _entrances=1, _is_first_time=True),
        {
            "page_view_engagement_time_msec": 7,
            "page_view_previous_time_msec": 5,
            "page_view_entrances": True,
            "screen_view_entrances": True,
        },
    ),
    "screen view": (
        event_type("_screen_view", _engagement_time_msec=7, _previous_timestamp=5, _entrances="0"),
        {
            "event_name": "_screen_view",
            "screen_view_engagement_time_msec": 7,
            "screen_view_previous_time_msec": 5,
            "page_view_entrances": False,
            "screen_view_entrances": False,
        },
    ),
    "user engagement": (
        event_type("_user_engagement", _engagement_time_msec=7, _previous_timestamp=5),
        {"event_name": "_user_engagement", "user_engagement_time_msec": 7},
    ),
    "scroll": (event_type("_scroll", _engagement_time_msec=7), {"event_name": "_scroll", "scroll_engagement_time_msec": 7}),
    "app start": (event_type("_app_start", _is_first_time="1"), {"event_name": "_app_start", "app_start_is_first_time": True}),
    "any other event": (
        event_type("buy", _is_first_time=True, _engagement_time_msec=7, _previous_timestamp=5),
        {"event_name": "buy"},
    ),
    "unreadable there": (
        event_type("_scroll", _engagement_time_msec="long", _entrances="some"),
        {"event_name": "_scroll", **unreadable(_engagement_time_msec="long", _entrances="some")},
    ),
    # Custom parameters
    "custom parameters keep their types": (
        {"event_sequence_id": 3, **attributes(a="1", b=1, c=1.5, d=False, e=None, f=[{"x": 1}], _own="kept")},
        custom(event_sequence_id=3, a="1", b=1, c=1.5, d=False, e=None, f=[{"x": 1}], _own="kept"),
    ),
    "an attribute of a top key's name": (attributes(platform="Mac", currency="EUR"), custom(platform="Mac", currency="EUR")),
    "attributes as JSON text": (
        {"attributes": '{"_session_id":"s","colour":"red"}', "user": '{"_user_id":{"value":"7"}}'},
        {"session_id": "s", "user_id": "7", "user_properties_json_str": {"_user_id": prop("7")}, **custom(colour="red")},
    ),
    "attributes that are none": (
        {"attributes": "{broken", "user": ["x"]},
        unreadable(attributes="{broken", user=["x"]),
    ),
    # Platform, time zone
    "operating system by platform": (
        {"platform": "iOS", "os_version": "17"},
        {"platform": "iOS", "device_operating_system": "iOS", "device_operating_system_version": "17"},
    ),
    "whatever its case": ({"platform": "ANDROID"}, {"platform": "ANDROID", "device_operating_system": "ANDROID"}),
    "mini program": ({"platform": "WeChatMP"}, {"platform": "WeChatMP", "device_operating_system": "WeChatMP"}),
    "no system's platform": ({"platform": "Flutter"}, {"platform": "Flutter"}),
    "zone east": ({"zone_offset": 28_800_000}, {"device_time_zone_offset_seconds": 28_800}),
    "zone west, cut towards zero": ({"zone_offset": -12_600_999}, {"device_time_zone_offset_seconds": -12_600}),
    "zone of less than a second": ({"zone_offset": "-999"}, {"device_time_zone_offset_seconds": 0}),
    # URLs
    "referrer": (
        attributes(_latest_referrer="https://www.search.example:8080/q?x=1", _page_referrer="https://blog.example/"),
        {
            "page_view_latest_referrer": "https://www.search.example:8080/q?x=1",
            "page_view_latest_referrer_host": "www.search.example",
            "page_view_page_referrer": "https://blog.example/",
        },
    ),
    "the client's host of the referrer": (
        attributes(_latest_referrer="https://a.example/", _latest_referrer_host="own"),
        {"page_view_latest_referrer": "https://a.example/", "page_view_latest_referrer_host": "own"},
    ),
    "the client's host of the page": (
        {"host_name": "own", **attributes(_page_url="https://a.example/p")},
        {URL: "https://a.example/p", "page_view_hostname": "own", "page_view_page_url_path": "/p"},
    ),
    # Users
    "user": (
        {
            "user": {
                "_user_id": {"value": 42, "set_timestamp": 5},
                "_user_first_touch_timestamp": {"value": "17", "set_timestamp": "6"},
                "_user_age": {"value": "30", "set_timestamp": None},
            }
        },
        {
            "user_id": "42",
            "user_first_touch_time_msec": 17,
            "user_properties_json_str": {
                "_user_id": prop(42, 5),
                "_user_first_touch_timestamp": prop(17, 6),
                "_user_age": prop(30),
            },
        },
    ),
    "forms of a property": (
        {
            "user": {
                "a": {"value": "x"},
                "b": "bare",
                "c": {"no": "value"},
                "d": [1],
                "e": None,
                "f": {"value": True, "set_timestamp": "?"},
            }
        },
        {
            "user_properties_json_str": {
                "a": prop("x"),
                "b": prop("bare"),
                "c": prop({"no": "value"}),
                "d": prop([1]),
                "f": prop(True),
            }
        },
    ),
    "unreadable first touch": (
        {"user": {"_user_first_touch_timestamp": {"value": "once"}, "_user_age": {"value": "old"}}},
        {
            "user_properties_json_str": {"_user_first_touch_timestamp": prop("once"), "_user_age": prop("old")},
            **unreadable(_user_first_touch_timestamp="once"),
        },
    ),
    # Items
    "items": (
        {"items": [{"id": "a", "name": "A", "price": "1.5", "quantity": 2, "category2": "c"}, {"item_id": 7, "item_name": "B"}]},
        {
            "items": [
                {"item_id": "a", "name": "A", "price": 1.5, "quantity": 2.0, "category2": "c"},
                {"item_id": "7", "name": "B"},
            ]
        },
    ),
    "own keys of an item": (
        {"items": [{"id": "a", "colour": "red", "size": [1], "price": "cheap", "brand": None}]},
        {"items": [{"item_id": "a", **custom(colour="red", size=[1], price="cheap")}]},
    ),
    "items without an id": (
        {"items": [{"name": "no id"}, {"id": "a"}, {"id": ""}, "text", None]},
        {"items": [{"item_id": "a"}], **unreadable(items=[{"name": "no id"}, {"id": ""}, "text", None])},
    ),
    "an id that is empty or zero": (
        {"items": [{"id": "a", "item_id": ""}, {"item_id": "", "id": "b"}, {"id": 0}]},
        {"items": [{"item_id": "a"}, {"item_id": "b"}, {"item_id": "0"}]},
    ),
    "no list of items": ({"items": {"id": "a"}}, {"items": [], **unreadable(items={"id": "a"})}),
    "no items": ({"items": []}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_columns(case: str) -> None:
    sent, columns = CASES[case]
    assert_same(filled(read({**LEAST, **sent})), {**BASIS, **columns})


def assert_same(found: Columns, wanted: Columns) -> None:
    """The same values in the same types: true is not 1, and 3.0 is not 3."""
    assert found == wanted
    assert json.dumps(found, sort_keys=True) == json.dumps(wanted, sort_keys=True)


@pytest.mark.parametrize(
    "sent",
    [
        {"value": None, "set_timestamp": 5},
        {"set_timestamp": 5},
    ],
    ids=str,
)
def test_nothing_is_no_user_id(sent: dict[str, Any]) -> None:
    event = read({**LEAST, "user": {"_user_id": sent, "_user_first_touch_timestamp": {"value": None}}})
    assert (event.user_id, event.user_first_touch_time_msec, event.notes) == (None, None, None)


RENAMED = {
    "event_type": "event_name",
    "timestamp": "event_time_msec",
    "unique_id": "user_pseudo_id",
    "device_id": "device_vendor_id",
    "device_unique_id": "device_advertising_id",
    "os_version": "device_operating_system_version",
    "make": "device_manufacturer",
    "brand": "device_mobile_brand_name",
    "model": "device_mobile_model_name",
    "app_package_name": "app_package_id",
    "host_name": "page_view_hostname",
    "zone_offset": "device_time_zone_offset_seconds",
    "_session_start_timestamp": "session_start_time_msec",
    "_app_install_channel": "app_install_source",
    "_outbound": "outbound_link",
}
"""Keys whose column does not end like them."""

ENRICHED = {name for name in Event.__struct_fields__ if name.startswith(("device_ua", "geo_", "bot_", "is_bot"))} - {"geo_locale"}
SERVERS = {"event_bundle_sequence_id", "ingest_time_msec", "project_id", "process_info"} | {
    *("ua", "ip", "notes", "upload_time_msec", "is_derived"),
}
SEE_CASES = {"items", "user_id", "user_first_touch_time_msec", "user_properties_json_str", "custom_parameters_json_str"} | {
    *("device_operating_system", "page_view_page_url_query_parameters", "app_start_is_first_time"),
    *("page_view_entrances", "page_view_engagement_time_msec", "page_view_previous_time_msec"),
    *("screen_view_entrances", "screen_view_engagement_time_msec", "screen_view_previous_time_msec"),
    *("user_engagement_time_msec", "scroll_engagement_time_msec"),
}
"""Fields that no ordinary key fills."""


def column_of(key: str) -> str:
    """Columns are called like their key, behind the name of a group; of several the plainest."""
    name = key.lstrip("_")
    return RENAMED.get(key) or min((each for each in Event.__struct_fields__ if f"_{each}".endswith(f"_{name}")), key=len)


def test_every_key_fills_its_own_column() -> None:
    """All keys at once, each with a value of its own, so that one which fills another's column shows."""
    keys, numbers = {**sdk_fields.TOP, **sdk_fields.ATTRIBUTES}, count(1)
    of_kind: dict[type, Callable[[int], Any]] = {
        str: "text-{}".format,
        int: lambda n: n * 1_000,
        float: lambda n: n / 2,
        bool: bool,
    }
    sent = {key: of_kind[kind](next(numbers)) for key, (_, kind) in keys.items()}
    top = {key: sent[key] for key in sdk_fields.TOP if not key.startswith("event_value")}
    event = msgspec.structs.asdict(read({**top, "attributes": {key: sent[key] for key in sdk_fields.ATTRIBUTES}}))
    wanted = {column_of(key): value for key, value in sent.items() if key in {**top, **sdk_fields.ATTRIBUTES}}
    wanted["device_time_zone_offset_seconds"] //= 1_000
    assert {column: event[column] for column in wanted} == wanted
    assert {column for column, value in event.items() if value is None} == ENRICHED | SERVERS | SEE_CASES


@pytest.mark.parametrize("name", ["_page_view", "_app_start", "buy"])
def test_reserved_keys_are_never_custom_parameters(name: str) -> None:
    """Not even where their column is filled by another, belongs to another event, or cannot hold them."""
    reserved = {**sdk_fields.ATTRIBUTES, **sdk_fields.ATTRIBUTE_FALLBACKS, **sdk_fields.DEFERRED}
    for value in ("text", 1, None, {"x": 1}):
        event = read({**LEAST, "event_type": name, "attributes": dict.fromkeys(reserved, value), "event_name": value})
        assert event.custom_parameters_json_str is None


# URL: (host, path, parameters)
URLS: dict[str, tuple[str | None, str | None, dict[str, str] | None]] = {
    "https://shop.example/a/b?x=1#part": ("shop.example", "/a/b", {"x": "1"}),
    "https://shop.example": ("shop.example", "", None),
    "https://shop.example/": ("shop.example", "/", None),
    "https://shop.example?x=1": ("shop.example", "", {"x": "1"}),
    "https://SHOP.example:8443/A": ("shop.example", "/A", None),
    "shop.example/a?x=1": ("shop.example", "/a", {"x": "1"}),
    "https://shop.example/p%20q/%C3%A9": ("shop.example", "/p q/é", None),
    "https://münchen.example/": ("xn--mnchen-3ya.example", "/", None),
    "https://s.example/?flag&empty=&x=1": ("s.example", "/", {"flag": "", "empty": "", "x": "1"}),
    "https://s.example/?x=1&y=2&x=3&x=": ("s.example", "/", {"x": "1,3,", "y": "2"}),
    "https://s.example/?q=a+b%26c%3Dd&%6E=%C3%A9": ("s.example", "/", {"q": "a b&c=d", "n": "é"}),
    "https://s.example/?once=%2541": ("s.example", "/", {"once": "%41"}),
    "https://s.example/?x=a=b": ("s.example", "/", {"x": "a=b"}),
    "https://s.example/?bad=%FF%": ("s.example", "/", {"bad": "�%"}),
    "https://s.example/?": ("s.example", "/", None),
    "https://user:secret@s.example/": ("s.example", "/", None),
    "https://[::1]/x": ("[::1]", "/x", None),
    "android-app://com.example.app/start": ("com.example.app", "/start", None),
    "https://": (None, None, None),
    "https://a b/": (None, None, None),
}


@pytest.mark.parametrize("url", URLS)
def test_parts_of_the_page_url(url: str) -> None:
    host, path, params = URLS[url]
    event = read({**LEAST, **attributes(_page_url=url)})
    found = event.page_view_page_url_query_parameters
    assert (event.page_view_page_url, event.page_view_hostname, event.page_view_page_url_path) == (url, host, path)
    assert (None if found is None else json.loads(found)) == params


TITLE = "+?????>>>>>"
PAYLOAD = json.dumps([{**LEAST, "app_title": TITLE}])
# Stored, not compressed: so the title's base64 has both letters, + and /, that an address must escape.
PACKED = base64.b64encode(gzip.compress(PAYLOAD.encode(), compresslevel=0, mtime=0)).decode()


def packed(*members: bytes) -> str:
    return base64.b64encode(b"".join(members)).decode()


def halves(between: bytes = b"") -> str:
    """The payload in two members."""
    half = len(PAYLOAD) // 2
    return packed(gzip.compress(PAYLOAD[:half].encode()), between, gzip.compress(PAYLOAD[half:].encode()))


# name: (data, uri)
REQUESTS: dict[str, tuple[str | None, str | None]] = {
    "plain": (PAYLOAD, None),
    "packed": (PACKED, None),
    "packed, in lines": ("\n".join(PACKED[start : start + 76] for start in range(0, len(PACKED), 76)), None),
    "packed in two members": (halves(), None),
    "packed in two members, far apart": (halves(bytes(1_500_000)), None),
    "padded with zeros": (packed(gzip.compress(PAYLOAD.encode()), bytes(1_500_000)), None),
    "one object": (PAYLOAD[1:-1], None),
    "white space around it": (f"\r\n {PAYLOAD}\n", None),
    "in the address, escaped": (None, f"/collect?appId=shop&data={quote(PAYLOAD, safe='')}&x=1"),
    "in the address, packed and escaped": (None, f"/collect?compression=gzip&data={quote(PACKED, safe='')}"),
    "in the address, packed, not escaped": ("", f"/collect?data={PACKED}"),
    "in both": (PAYLOAD, f"/collect?data={quote('[]')}"),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_payloads(case: str) -> None:
    data, uri = REQUESTS[case]
    events = list(ClickstreamSdk().transform(Request(data=data, uri=uri)))
    assert [(each.event_id, each.app_title) for each in events if isinstance(each, Event)] == [("e", TITLE)]


SMALL = Limits(max_payload_bytes=10_000, max_events_per_request=2, max_depth=3, max_items_per_event=2)

# name: (data, the error, its words)
REFUSED: dict[str, tuple[str | None, type[InputError], str]] = {
    "nothing": (None, MalformedPayload, "the request has no data"),
    "blank": (" \n", MalformedPayload, "the request has no data"),
    "a text": ('"text"', MalformedPayload, "neither JSON nor base64"),
    "packed text": (
        base64.b64encode(gzip.compress(b'"text"')).decode(),
        MalformedPayload,
        "neither a JSON array nor a JSON object",
    ),
    "not packed": (base64.b64encode(PAYLOAD.encode()).decode(), MalformedPayload, "neither JSON nor base64"),
    "large": (json.dumps([LEAST] * 2 + ["x" * 10_000]), TooLarge, "allowed are 10000"),
    "large when unpacked": (base64.b64encode(gzip.compress(b"[" + b" " * 10_000)).decode(), TooLarge, "larger than 10000"),
    "large with its second member": (packed(gzip.compress(b"["), gzip.compress(b" " * 10_000)), TooLarge, "larger than 10000"),
    "a second member cut short": (packed(gzip.compress(b"["), gzip.compress(b"]")[:-9]), MalformedPayload, "is cut short"),
    "very many members": (packed(gzip.compress(b" ") * 5_000), MalformedPayload, "more than 64 gzip members"),
    "many events": (json.dumps([LEAST] * 3), TooLarge, "3 events in one request, allowed are 2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_payloads_that_are_refused(case: str) -> None:
    data, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        list(ClickstreamSdk(SMALL).transform(Request(data=data)))


def test_one_bad_element_takes_none_along() -> None:
    """Each is told from its siblings, by its position in the payload."""
    bad: list[Any] = [{**LEAST, "timestamp": "never"}, 5, {"event_id": ""}, {**LEAST, "x": [[[[1]]]]}]
    sent = [LEAST, *bad, {**LEAST, "event_id": "last"}]
    limits = Limits(max_depth=3)
    results = list(ClickstreamSdk(limits).transform(Request(data=json.dumps(sent), first_position=10)))
    assert [each.event_id for each in results if isinstance(each, Event)] == ["e", "last"]
    assert [each.position for each in results] == [10, 11, 12, 13, 14, 15]
    assert [(each.reason, each.message) for each in results if isinstance(each, Rejected)] == [
        (Reason.MALFORMED_EVENT, "timestamp missing or unreadable"),
        (Reason.MALFORMED_EVENT, "not a JSON object"),
        (Reason.MALFORMED_EVENT, "event_id, app_id, timestamp, event_type missing or unreadable"),
        (Reason.TOO_LARGE, "nested deeper than 3 levels"),
    ]


@pytest.mark.parametrize(
    ("sent", "items", "left"),
    [
        ("0123", "01", "23"),
        ("0-12", "0", "-12"),
        ("01-2", "01", "-2"),
    ],
)
def test_items_beyond_the_limit_are_kept_as_sent(sent: str, items: str, left: str) -> None:
    """Each letter is an item of that id; a dash is one without an id."""
    as_sent = {each: {"id": each} if each != "-" else {"name": "no id"} for each in sent}
    event = read({**LEAST, "items": list(as_sent.values())}, SMALL)
    assert [item.item_id for item in event.items or ()] == list(items)
    assert event.notes == {"unreadable": {"items": [as_sent[each] for each in left]}}


@pytest.mark.parametrize(
    ("uri", "bundle"),
    [
        ("/collect?appId=shop&event_bundle_sequence_id=12", 12),
        ("/collect?event_bundle_sequence_id=", None),
        ("/collect?event_bundle_sequence_id=x", None),
        ("/collect", None),
        (None, None),
    ],
)
def test_number_of_the_upload(uri: str | None, bundle: int | None) -> None:
    assert read(LEAST, uri=uri).event_bundle_sequence_id == bundle
