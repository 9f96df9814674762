"""What each message of a Sensors Data SDK becomes: an event, a change of attributes, or a rejection; in whatever form it comes.

Nothing that a client sent is lost, and nothing it sent keeps its siblings from being read.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.errors import InputError, MalformedPayload, Reason, TooLarge
from streaming_app.ingest.transform.run_plugin import raw_elements
from streaming_app.model.change import Change
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.plugins.transformer import Limits, Rejected
from streaming_app.transformers.sensors_data import SensorsData, SensorsOptions
from streaming_app.transformers.sensors_data import fields as keys
from tests.support.lake import LocalPipeline, balance
from tests.support.raw import NOW, line, write
from tests.support.sources import sensors_message, sensors_request

Columns = dict[str, Any]
Result = Event | Change | Rejected

TRACK = {"type": "track", "event": "buy", "time": NOW, "distinct_id": "d", "_track_id": 7}
"""A message of the kind that most are; profile and item messages differ from it."""


def results(*messages: Any, limits: Limits | None = None, **request: Any) -> list[Result]:
    """What becomes of a payload of these messages."""
    envelope = {"app_id": "sensors", "rid": "r", "ingest_time": NOW + 500, **request}
    return list(SensorsData(limits=limits).transform(Request(data=json.dumps(messages), **envelope)))


def read(**sent: Any) -> Event:
    """The event of one message; what it tells besides is left out."""
    event = results({**TRACK, **sent})[0]
    assert isinstance(event, Event), event
    return event


def filled(struct: msgspec.Struct) -> Columns:
    """The fields that have a value, but for ids; JSON text parsed, items likewise."""
    columns = {name: value for name, value in msgspec.structs.asdict(struct).items() if value is not None}
    for name in [name for name in columns if name.endswith("_json_str")]:
        columns[name] = json.loads(columns[name])
    if "items" in columns:
        columns["items"] = [filled(item) for item in columns["items"]]
    return {name: value for name, value in columns.items() if name not in ("event_id", "app_id", "position")}


def properties(**sent: Any) -> dict[str, Any]:
    """``wifi=True`` is the property ``$wifi``; those with an underscore at the end have no $."""
    return {"properties": {name[:-1] if name.endswith("_") else f"${name}": value for name, value in sent.items()}}


def custom(**values: Any) -> Columns:
    return {"custom": values}


def unreadable(**values: Any) -> Columns:
    return {"notes": {"unreadable": {name.replace("S_", "$"): value for name, value in values.items()}}}


BASIS: Columns = {
    "event_name": "buy",
    "event_time_msec": NOW,
    "session_start_time_msec": NOW,
    "user_pseudo_id": "d",
    "platform": "Web",
}
ALWAYS = {"type": "track", "_track_id": 7, "$time": NOW, "$distinct_id": "d", "$anonymous_id": None}
"""Custom parameters of every such message."""
PAGE = "https://shop.example/p%20q?a=1"
OF_PAGE = {
    "page_view_page_url": PAGE,
    "page_view_hostname": "shop.example",
    "page_view_page_url_path": "/p q",
    "page_view_page_url_query_parameters": '{"a":"1"}',
}
UNKNOWN = {"$element_id": "b", "level": 3, "tags": ["a"], "nested": {"x": [1]}, "nothing": None, "$user_id": "u"}
LOGIN = {"$identity_login_id": "L"}

# name: (keys of the message besides TRACK, columns filled besides BASIS; custom: parameters besides ALWAYS)
CASES: dict[str, tuple[dict[str, Any], Columns]] = {
    "nothing else": ({}, {}),
    "null is nothing": ({"properties": None, "lib": None, "identities": None, "items": None, "anonymous_id": None}, {}),
    # Columns that are no copies
    "zone, minutes west": (properties(timezone_offset=-480), {"device_time_zone_offset_seconds": 28_800}),
    "zone, as text": (properties(timezone_offset="210"), {"device_time_zone_offset_seconds": -12_600}),
    "duration, seconds": (properties(event_duration=12), {"user_engagement_time_msec": 12_000}),
    "duration, a fraction": (properties(event_duration=1.001), {"user_engagement_time_msec": 1_001}),
    "duration, more than there is": (properties(event_duration=1e306), {}),
    "wireless": (properties(wifi=True), {"device_network_type": "WIFI"}),
    "not wireless": (properties(wifi=False), {}),
    "wireless, and a name for it": (properties(wifi=True, network_type="5G"), {"device_network_type": "5G"}),
    "system": (properties(os="iOS"), {"device_operating_system": "iOS", "platform": "iOS"}),
    "place": (
        properties(city="Paris", province="Île-de-France", country="France"),
        {"geo_city": "Paris", "geo_region": "Île-de-France", "geo_country": "France"}
        | custom(**{"$province": "Île-de-France", "$country": "France"}),
    ),
    "address": (properties(ip="192.0.2.1"), {"ip": "192.0.2.1"}),
    "sent by a server": ({"lib": {"$lib": "Java"}}, {"sdk_name": "Java", "ua": "", "ip": ""}),
    "sent by a server that knows the client": (
        {"lib": {"$lib": "python"}, **properties(ip="192.0.2.1")},
        {"sdk_name": "python", "ua": "", "ip": "192.0.2.1"},
    ),
    "first start": ({"event": "$AppStart", **properties(is_first_time=False)}, {"event_name": "$AppStart", "app_start_is_first_time": False}),
    "first time of another event": (properties(is_first_time=True), {}),
    # Pages
    "page": (properties(url=PAGE), OF_PAGE),
    "screen of an app": (
        properties(url="com.example.Main", referrer="com.example.Login"),
        {"page_view_page_url": "com.example.Main"} | custom(**{"$referrer": "com.example.Login"}),
    ),
    "referrer": (properties(referrer="https://a.example/"), {"page_view_page_referrer": "https://a.example/"}),
    "no referrer": (properties(referrer="", latest_referrer=""), {"page_view_page_referrer": "", "page_view_latest_referrer": ""} | custom(**{"$latest_referrer": ""})),
    "latest referrer": (
        properties(latest_referrer="https://www.a.example/x"),
        {"page_view_latest_referrer": "https://www.a.example/x", "page_view_latest_referrer_host": "www.a.example"}
        | custom(**{"$latest_referrer": "https://www.a.example/x"}),
    ),
    "referrers that could not be read": (
        properties(latest_referrer="url的domain解析失败", latest_referrer_host="url的domain解析失败", referrer="取值异常"),
        custom(**{"$latest_referrer": "url的domain解析失败", "$latest_referrer_host": "url的domain解析失败", "$referrer": "取值异常"}),
    ),
    # Campaigns
    "campaign of the page": (
        properties(utm_source="s", utm_campaign="c", latest_utm_source="old", latest_utm_medium="old"),
        {"traffic_source_source": "s", "traffic_source_campaign": "c"}
        | custom(**{"$utm_source": "s", "$utm_campaign": "c", "$latest_utm_source": "old", "$latest_utm_medium": "old"}),
    ),
    "latest campaign": (
        properties(latest_utm_source="s", latest_utm_medium="m", latest_utm_campaign="c", latest_utm_content="o", latest_utm_term="t"),
        {f"traffic_source_{name}": name[0 if name != "content" else 1] for name in keys.CAMPAIGN}
        | custom(**{f"$latest_utm_{name}": name[0 if name != "content" else 1] for name in keys.CAMPAIGN}),
    ),
    # What was sent with it
    "library": (
        {"lib": {"$lib": "js", "$lib_version": "1.27", "$app_version": "2", "$lib_method": "code"}},
        {"sdk_name": "js", "sdk_version": "1.27", "app_version": "2"} | custom(**{"$lib_method": "code"}),
    ),
    "library of the properties": (
        {"lib": {"$lib_version": None}, **properties(lib="js", lib_version="1", app_version="2")},
        {"sdk_name": "js", "sdk_version": "1", "app_version": "2"} | custom(**{"$lib": "js", "$lib_version": "1", "$app_version": "2"}),
    ),
    "unknown keys": ({"project": "p", "_hybrid": True, "properties": UNKNOWN}, custom(project="p", _hybrid=True, **UNKNOWN)),
    "sent": ({"_flush_time": NOW + 3}, {"upload_time_msec": NOW + 3} | custom(_flush_time=NOW + 3)),
    "sent before it was made": ({"_flush_time": NOW - 1}, custom(_flush_time=NOW - 1)),
    # Ids
    "login": ({"identities": LOGIN}, {"user_id": "L"} | custom(**{"$identity_android_id": None}, **LOGIN)),
    "login, without identities": ({"login_id": "L"}, {"user_id": "L"} | custom(login_id="L")),
    "login, by a server": ({"properties": {"$is_login_id": True}}, {"user_id": "d"} | custom(**{"$is_login_id": True})),
    "no login, by a server": ({"properties": {"$is_login_id": False}}, custom(**{"$is_login_id": False})),
    "anonymous": ({"anonymous_id": "a"}, custom(**{"$anonymous_id": "a"})),
    "anonymous only": ({"distinct_id": "", "anonymous_id": "a"}, {"user_pseudo_id": "a"} | custom(**{"$distinct_id": "", "$anonymous_id": "a"})),
    "no user": ({"distinct_id": None}, {"user_pseudo_id": None} | custom(**{"$distinct_id": None})),
    "an id that is a number": ({"distinct_id": 42}, {"user_pseudo_id": "42"} | custom(**{"$distinct_id": 42})),
    "ids that are none": (
        {"distinct_id": ["d"], "identities": {"$identity_login_id": {"x": 1}}, "login_id": True},
        {"user_pseudo_id": None} | custom(**{"$distinct_id": ["d"], "$identity_android_id": None, "$identity_login_id": {"x": 1}, "login_id": True}),
    ),
    "sign-up": (
        {"type": "track_signup", "original_id": "a"},
        {"user_id": "d"} | custom(type="track_signup", original_id="a"),
    ),
    "binding": (
        {"type": "track_id_bind", "identities": LOGIN},
        {"user_id": "L"} | custom(type="track_id_bind", **{"$identity_android_id": None}, **LOGIN),
    ),
    "unbinding": (
        {"type": "track_id_unbind", "identities": LOGIN},
        custom(type="track_id_unbind", **{"$identity_android_id": None}, **LOGIN),
    ),
    # Names
    **{
        f"name {sent}": ({"event": sent}, {"event_name": meant})
        for sent, meant in {
            "page_view": "_page_view",
            "login": "_profile_set",
            "user_engagement": "_user_engagement",
            "click": "_click",
            "$pageview": "$pageview",
            "$WebClick": "$WebClick",
        }.items()
    },
    "no type": ({"type": None}, custom(type=None)),
    "an unknown type": ({"type": "track_more"}, custom(type="track_more")),
    # Types
    "numeric text": (
        {"time": str(NOW), **properties(screen_width="1440", screen_height=900.9)},
        {"device_screen_width": 1440, "device_screen_height": 900},
    ),
    "numbers as text": (properties(os_version=10, model=["x"]), {"device_operating_system_version": "10", "device_mobile_model_name": '["x"]'}),
    "objects as text": (
        {"properties": '{"$title":"T","x":1}', "lib": "{broken", "identities": ["x"]},
        {"page_view_page_title": "T"} | custom(x=1) | unreadable(lib="{broken", identities=["x"]),
    ),
    "unreadable": (
        properties(screen_width="wide", timezone_offset=[], event_duration="long", wifi="maybe", is_first_time="maybe", viewport_width={}),
        unreadable(S_screen_width="wide", S_timezone_offset=[], S_event_duration="long", S_wifi="maybe", S_is_first_time="maybe", S_viewport_width={})
        | custom(**{"$viewport_width": {}}),
    ),
    "no time": ({"time": None}, {"event_time_msec": NOW + 500, "session_start_time_msec": NOW + 500} | custom(**{"$time": NOW + 500})),
    "no time that can be read": (
        {"time": "now"},
        {"event_time_msec": NOW + 500, "session_start_time_msec": NOW + 500} | custom(**{"$time": NOW + 500}) | unreadable(time="now"),
    ),
    # Items
    "items": (
        {"items": [{"$item_id": "a", "$item_name": "A", "$price": "1.5", "$region": "eu", "colour": "red"}, {"item_id": 7, "quantity": 2}]},
        {
            "items": [
                {"item_id": "a", "name": "A", "price": 1.5, "custom_parameters_json_str": {"$region": "eu", "colour": "red"}},
                {"item_id": "7", "quantity": 2.0},
            ]
        },
    ),
    "no items": ({"items": [{"$item_name": "A"}, 5]}, {"items": []} | unreadable(items=[{"item_name": "A"}, 5])),
    "no list of items": ({"items": "a"}, {"items": []} | unreadable(items="a")),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_columns(case: str) -> None:
    sent, columns = CASES[case]
    wanted = {**BASIS, "custom_parameters_json_str": ALWAYS | columns.get("custom", {}), **columns}
    assert_same(filled(read(**sent)), {name: value for name, value in wanted.items() if name != "custom" and value is not None})


def assert_same(found: Columns, wanted: Columns) -> None:
    """The same values in the same types: true is not 1, and 3.0 is not 3."""
    assert found == wanted
    assert json.dumps(found, sort_keys=True) == json.dumps(wanted, sort_keys=True)


NOT_COPIED = {"$timezone_offset", "$event_duration", "$is_first_time"}


def test_every_property_fills_its_own_column() -> None:
    """All at once, each with a value of its own, so that one which fills another's column shows."""
    fields, numbers = {**keys.KEPT, **keys.PROPERTIES}, count(1)
    sent = {
        key: f"x://{next(numbers)}" if kind is str else next(numbers)
        for key, (_, kind) in fields.items()
        if key not in NOT_COPIED
    }
    event = msgspec.structs.asdict(read(properties=sent))
    assert {key: event[fields[key][0]] for key in sent} == sent
    parameters = json.loads(event["custom_parameters_json_str"])
    assert sent.keys() & parameters.keys() == keys.KEPT.keys()


LIB = {"lib": {"$lib": "js"}}
DELETE = {"type": "profile_delete"}
CHANGE = {"event_time_msec": NOW, "user_pseudo_id": "d", "properties_json_str": {}}

# name: (keys of the message besides TRACK and its event, columns of the change besides CHANGE)
CHANGES: dict[str, tuple[dict[str, Any], Columns]] = {
    **{
        f"{kind} of {sent}": ({"type": kind, "properties": sent}, {"event_name": kind, "properties_json_str": sent})
        for kind in sorted(keys.CHANGES)
        for sent in ({}, {"a": 1, "$b": ["x"], "c": None})
        if kind.startswith("profile")
    },
    "no properties": (DELETE, {"event_name": "profile_delete"}),
    "an event's name changes nothing": (DELETE | {"event": "buy"}, {"event_name": "profile_delete"}),
    "sender": (DELETE | {"anonymous_id": "a", "identities": LOGIN}, {"event_name": "profile_delete", "user_id": "L"}),
    "sender, by a server": (
        DELETE | {"properties": {"$is_login_id": True, "a": 1}},
        {"event_name": "profile_delete", "user_id": "d", "properties_json_str": {"a": 1}},
    ),
    "sent": (DELETE | {"_flush_time": NOW + 1}, {"event_name": "profile_delete", "upload_time_msec": NOW + 1}),
    "no time": (DELETE | {"time": "?"}, {"event_name": "profile_delete", "event_time_msec": NOW + 500} | unreadable(time="?")),
    "properties as text": (
        {"type": "profile_set", "properties": '{"a":1}'},
        {"event_name": "profile_set", "properties_json_str": {"a": 1}},
    ),
    "item": (
        {"type": "item_set", "item_type": "book", "item_id": 7, "properties": {"price": 9.5}, "distinct_id": None},
        {"event_name": "item_set", "item_type": "book", "item_id": "7", "properties_json_str": {"price": 9.5}, "user_pseudo_id": None},
    ),
    "item taken away": (
        {"type": "item_delete", "item_id": "i", "identities": LOGIN},
        {"event_name": "item_delete", "item_id": "i", "user_pseudo_id": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_changes(case: str) -> None:
    sent, columns = CHANGES[case]
    [change] = results({**{key: value for key, value in TRACK.items() if key != "event"}, **sent})
    assert isinstance(change, Change)
    assert (change.app_id, change.position, bool(change.event_id)) == ("sensors", 0, True)
    assert_same(filled(change), {name: value for name, value in {**CHANGE, **columns}.items() if value is not None})


@pytest.mark.parametrize("told", [True, 1, "true"])
def test_first_open(told: Any) -> None:
    """A full copy, but for what a sum would count twice."""
    base, first = results({**TRACK, "items": [{"$item_id": "i"}], **properties(is_first_time=told, event_duration=1, title="T")})
    assert isinstance(base, Event)
    assert isinstance(first, Event)
    assert (first.event_name, first.event_id) == ("_first_open", f"{base.event_id}-first-open")
    left_out = {"items", "user_engagement_time_msec", "event_name"}
    assert {**filled(base), **filled(first)} == filled(base) | {"event_name": "_first_open", "is_derived": True}
    assert filled(base).keys() - filled(first).keys() == left_out - {"event_name"}


# name: (keys of the message besides TRACK, (anonymous id, login id) of the change that it tells besides)
LINKS: dict[str, tuple[dict[str, Any], tuple[str, str] | None]] = {
    "sign-up": ({"type": "track_signup", "original_id": "a"}, ("a", "d")),
    "sign-up, whose anonymous id is told twice": ({"type": "track_signup", "original_id": "a", "anonymous_id": "b"}, ("a", "d")),
    "sign-up, without the original id": ({"type": "track_signup", "anonymous_id": "b"}, ("b", "d")),
    "sign-up by identities": (
        {"type": "track_signup", "identities": {"$identity_login_id": "L", "$identity_cookie_id": "c"}},
        ("c", "L"),
    ),
    "sign-up without a user": ({"type": "track_signup"}, None),
    "sign-up under one's own id": ({"type": "track_signup", "original_id": "d"}, None),
    "binding": ({"type": "track_id_bind", "anonymous_id": "a", "identities": LOGIN}, ("a", "L")),
    "binding without a login": ({"type": "track_id_bind", "anonymous_id": "a", "identities": {"$identity_mobile": "1"}}, None),
    "unbinding": ({"type": "track_id_unbind", "anonymous_id": "a", "login_id": "d"}, None),
    "any other event": ({"anonymous_id": "a", "login_id": "d"}, None),
}


@pytest.mark.parametrize("case", LINKS)
def test_whose_the_anonymous_id_is(case: str) -> None:
    sent, told = LINKS[case]
    event, *besides = results({**TRACK, **sent})
    assert isinstance(event, Event)
    assert [(each.user_pseudo_id, each.user_id) for each in besides if isinstance(each, Change)] == ([told] if told else [])
    for each in besides:
        assert isinstance(each, Change)
        wanted = ("profile_set", "{}", f"{event.event_id}-link", NOW)
        assert (each.event_name, each.properties_json_str, each.event_id, each.event_time_msec) == wanted


def ids(*messages: Any, options: SensorsOptions | None = None, **request: Any) -> list[str | None]:
    made = SensorsData(options).transform(Request(data=json.dumps(messages), app_id="sensors", **request))
    return [each.event_id for each in made if isinstance(each, Event | Change)]


UNNUMBERED = {key: value for key, value in TRACK.items() if key != "_track_id"}
PROFILE = {**TRACK, "type": "profile_set", "properties": {"a": 1}}

# name: (message, its copy, whether they are the same)
COPIES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "sent again": (TRACK, {**TRACK, "_flush_time": NOW + 9}, True),
    "sent again, in another order of keys": (TRACK, dict(reversed(TRACK.items())), True),
    "another number": (TRACK, {**TRACK, "_track_id": 8}, False),
    "another time": (TRACK, {**TRACK, "time": NOW + 1}, False),
    "another type": (TRACK, PROFILE, False),
    "sent again, without a number": (UNNUMBERED, {**UNNUMBERED, "_flush_time": NOW + 9}, True),
    "other contents, without a number": (UNNUMBERED, {**UNNUMBERED, "properties": {"a": 1}}, False),
    "a change sent again": (PROFILE, {**PROFILE, "_flush_time": NOW + 9}, True),
    "an item's change": ({**TRACK, "type": "item_set", "item_id": "1"}, {**TRACK, "type": "item_set", "item_id": "2"}, False),
}  # fmt: skip


@pytest.mark.parametrize("case", COPIES)
@pytest.mark.parametrize("before", [[], [TRACK | {"event": "other"}]], ids=["alone", "in a batch"])
def test_ids(case: str, before: list[Any]) -> None:
    """A copy comes in another request, at another place in it."""
    message, copy, same = COPIES[case]
    assert (ids(message, rid="r-1")[-1] == ids(*before, copy, rid="r-2")[-1]) is same


def test_equal_messages_of_one_request() -> None:
    """Without a number they are as many events as there are; the same in the copy of the request."""
    made = ids(UNNUMBERED, UNNUMBERED, TRACK, UNNUMBERED, rid="r-1")
    assert len(set(made)) == 4
    assert made == ids(UNNUMBERED, UNNUMBERED, TRACK, UNNUMBERED, rid="r-2")
    assert len(set(ids(TRACK, TRACK, rid="r"))) == 1


LONG = "ü" * 200


@pytest.mark.parametrize(
    ("sent", "options", "rid", "made"),
    [
        ({"lib": {"$lib": "Android"}}, SensorsOptions(), "r", "r-3-d"),
        ({"lib": {"$lib": "Android"}, "distinct_id": None}, SensorsOptions(), "r", "r-3-null"),
        (LIB, SensorsOptions(ids_by_request=("js",)), "r", "r-3-d"),
        ({"lib": {"$lib": "Android"}}, SensorsOptions(), None, None),
        ({"lib": {"$lib": "Android"}}, SensorsOptions(ids_by_request=()), "r", None),
        (LIB, SensorsOptions(), "r", None),
        ({"lib": {"$lib": "Android"}, "type": "profile_set"}, SensorsOptions(), "r", None),
        ({"lib": {"$lib": "Android"}, "distinct_id": LONG}, SensorsOptions(), "r", None),
    ],
)
def test_ids_by_request(sent: dict[str, Any], options: SensorsOptions, rid: str | None, made: str | None) -> None:
    """The reference system's id where it is wanted and possible; else 32 hex digits."""
    [found] = ids({**TRACK, **sent}, options=options, rid=rid, first_position=3)
    assert found == made or (made is None and found is not None and len(found) == 32 and int(found, 16) >= 0)


TITLE = "+?????>>>>> 咖啡"
MESSAGE = {**TRACK, "properties": {"$title": TITLE}}
TEXT = json.dumps(MESSAGE, ensure_ascii=False)


def encoded(text: str, *, packed: bool = False) -> str:
    """Stored, not compressed, where packed: so the title's base64 has letters that a form must escape."""
    content = gzip.compress(text.encode(), compresslevel=0, mtime=0) if packed else text.encode()
    return base64.b64encode(content).decode()


def form(text: str, key: str = "data", *, packed: bool = False, safe: str = "") -> str:
    return f"{key}={quote(encoded(text, packed=packed), safe=safe)}"


# name: (data, uri)
REQUESTS: dict[str, tuple[str | None, str | None]] = {
    "object": (TEXT, None),
    "array": (f"[{TEXT}]", None),
    "form": (form(TEXT) + "&ext=crc%3D-18", None),
    "form, packed": (form(TEXT, packed=True) + "&gzip=1", None),
    "form, packed, not declared": (form(TEXT, packed=True), None),
    "form, said to be packed": (form(TEXT) + "&gzip=1", None),
    "form, what is before it": ("crc=5&gzip=1&" + form(f"[{TEXT}]", "data_list", packed=True), None),
    "form, not escaped": (form(TEXT, safe="+/="), None),
    "form, escaped in lower case": (form(TEXT).replace("%2B", "%2b").replace("%2F", "%2f"), None),
    "form, white space around it": (f"\r\n{form(TEXT)}\n", None),
    "form, JSON": (f"data={quote(TEXT)}", None),
    "form, an empty one before it": (f"data=&{form(f'[{TEXT}]', 'data_list')}", None),
    "form, by zlib": (f"data={quote(base64.b64encode(zlib.compress(TEXT.encode())).decode())}", None),
    "image": ("", f"/sa.gif?appId=sensors&{form(TEXT)}&ext=crc%3D1"),
    "image, no body at all": (None, f"/sa.gif?{form(TEXT)}"),
    "image, a batch": (" ", f"/sa.gif?appId=sensors&{form(f'[{TEXT}]', 'data_list', packed=True)}"),
    "in both": (form(TEXT), f"/sa.gif?{form('[]')}"),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_forms(case: str) -> None:
    data, uri = REQUESTS[case]
    request = Request(data=data, uri=uri)
    events = list(SensorsData().transform(request))
    assert [each.page_view_page_title for each in events if isinstance(each, Event)] == [TITLE]
    assert [json.loads(each) for each in raw_elements(request, 10_000)] == [MESSAGE]


SMALL = Limits(max_payload_bytes=1_000, max_events_per_request=2, max_depth=5, max_items_per_event=1)

# name: (data, the error, its words)
REFUSED: dict[str, tuple[str | None, type[InputError], str]] = {
    "nothing": (None, MalformedPayload, "the request has no data"),
    "an empty form": ("data=&gzip=1", MalformedPayload, "neither JSON nor base64"),
    "a form without data": ("event=x", MalformedPayload, "neither JSON nor base64"),
    "no base64": ("data=abc", MalformedPayload, "neither JSON nor base64"),
    "no JSON": (f"data={encoded('text')}", MalformedPayload, "neither JSON nor base64"),
    "a text": (form('"text"', packed=True), MalformedPayload, "neither a JSON array nor a JSON object"),
    "cut short": (f"data={base64.b64encode(gzip.compress(TEXT.encode())[:-30]).decode()}", MalformedPayload, "cut short"),
    "large": (form("[" + " " * 1_000), TooLarge, "allowed are 1000"),
    "large when unpacked": (form("[" + " " * 1_000, packed=True), TooLarge, "larger than 1000"),
    "many": (form(json.dumps([TRACK] * 3)), TooLarge, "3 events in one request, allowed are 2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_forms_that_are_refused(case: str) -> None:
    data, error, words = REFUSED[case]
    for request in (Request(data=data), Request(data="", uri=f"/sa.gif?{data or ''}")):
        with pytest.raises(InputError) as refused:
            list(SensorsData(limits=SMALL).transform(request))
        if request.data:
            assert isinstance(refused.value, error)
            assert words in str(refused.value)


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else 1


# name: (element, reason, words)
BAD: dict[str, tuple[Any, Reason, str]] = {
    "no object": (5, Reason.MALFORMED_EVENT, "not a JSON object"),
    "nothing": ({}, Reason.MALFORMED_EVENT, "neither an event nor a change of attributes: type None, no event"),
    "an unknown type without an event": ({"type": "profile_swap"}, Reason.MALFORMED_EVENT, "type profile_swap, no event"),
    "no name": ({**TRACK, "event": ""}, Reason.MALFORMED_EVENT, "type track, no event"),
    "attributes of no user": ({"type": "profile_set", "time": NOW}, Reason.MALFORMED_EVENT, "distinct_id missing"),
    "attributes of no item": ({"type": "item_set", "item_type": "x"}, Reason.MALFORMED_EVENT, "item_id missing"),
    "attributes that are none": ({**PROFILE, "properties": ["x"]}, Reason.MALFORMED_EVENT, "properties is not a JSON object"),
    "deep parameters": ({**TRACK, "properties": {"x": deep(9)}}, Reason.TOO_LARGE, "nested deeper than 5"),
    "deep attributes": ({**PROFILE, "properties": {"x": deep(9)}}, Reason.TOO_LARGE, "nested deeper than 5"),
    "deep items": ({**TRACK, "items": [{"$item_id": "i", "x": deep(9)}]}, Reason.TOO_LARGE, "nested deeper than 5"),
    "deep where nothing is read": ({**TRACK, "lib": deep(9)}, Reason.TOO_LARGE, "nested deeper than 5"),
}


@pytest.mark.parametrize("case", BAD)
def test_one_bad_element_takes_none_along(case: str) -> None:
    element, reason, words = BAD[case]
    limits = Limits(max_depth=5)
    first, bad, last = results(TRACK, element, PROFILE, limits=limits, first_position=10)
    assert (type(first), type(last)) == (Event, Change)
    assert [each.position for each in (first, bad, last)] == [10, 11, 12]
    assert isinstance(bad, Rejected)
    assert bad.reason is reason
    assert words in bad.message


def test_no_time_at_all() -> None:
    [rejected] = results({**TRACK, "time": None}, ingest_time=None)
    assert isinstance(rejected, Rejected)
    assert rejected.message.startswith("time missing")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("by_image", [False, True])
def test_a_bad_element_is_quarantined_alone(packed: bool, by_image: bool, tmp_path: Path) -> None:
    """With its own text, in whatever form it came; its siblings are written."""
    pipeline = LocalPipeline(tmp_path, "  sensors: {transformer: sensors_data}\n")
    bad = {"type": "item_set", "item_id": ""}
    body = form(json.dumps([TRACK, bad, PROFILE]), "data_list", packed=packed)
    data, uri = ("", f"/sa.gif?{body}") if by_image else (body, "/sa")
    metrics = pipeline.ingest(write(tmp_path / "raw", "a.gz", line(data, appId="sensors", uri=uri, client_timestamp=None)))
    assert balance(metrics) == (3, 3)
    assert [row["event_name"] for table in ("event", "change") for row in pipeline.rows(table)] == ["buy", "profile_set"]
    [quarantined] = pipeline.rows("quarantine")
    assert (json.loads(quarantined["raw"]), quarantined["reason"]) == (bad, "malformed_event")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3),
    max_leaves=8,
)
KEYS = sorted({*TRACK, *keys.CONSUMED, "login_id", "original_id", "item_type", "item_id", "_flush_time"})
PROPERTY_KEYS = sorted({*keys.PROPERTIES, *keys.KEPT, "$wifi", "$is_login_id", "$utm_source", "$latest_utm_source", "own"})
KINDS = st.sampled_from([*sorted(keys.CHANGES), "track", "track_signup", "track_id_bind", "track_id_unbind", None])


@st.composite
def broken_messages(draw: st.DrawFn) -> Any:
    """A message of which any key may have any value."""
    message = {**draw(sensors_message()), "type": draw(KINDS)}
    message |= draw(st.dictionaries(st.sampled_from(KEYS), JSON_VALUES, max_size=4))
    if draw(st.booleans()):
        message["properties"] = draw(st.dictionaries(st.sampled_from(PROPERTY_KEYS), JSON_VALUES, max_size=6))
    return draw(st.sampled_from([message, draw(JSON_VALUES)]))


@given(st.lists(broken_messages(), max_size=4))
def test_any_message(messages: list[Any]) -> None:
    """Each has a result in its place, that can be written; good ones between them stay what they are alone."""
    limits = Limits(max_depth=8)
    mixed: list[Any] = [TRACK]
    for message in messages:
        mixed += [message, TRACK]
    found = results(*mixed, limits=limits)
    assert {each.position for each in found} == set(range(len(mixed)))
    [alone] = results(TRACK)
    assert [filled(each) for each in found if isinstance(each, Event) and (each.position or 0) % 2 == 0] == [filled(alone)] * (
        len(messages) + 1
    )
    for each in found:
        assert_whole(each)


def assert_whole(result: Result) -> None:
    """It has what the contract asks for, in its types."""
    msgspec.json.encode(result)
    if isinstance(result, Rejected):
        assert result.message
        return
    required = (result.event_id, result.event_name, result.event_time_msec, result.app_id)
    assert all(value not in (None, "") for value in required)
    of_item = isinstance(result, Change) and (result.event_name or "").startswith("item")
    assert isinstance(result, Event) or (result.item_id if of_item else result.user_pseudo_id)


@given(
    st.text()
    | st.text().map(lambda text: f"data={quote(text)}")
    | st.binary().map(lambda content: f"data_list={quote(base64.b64encode(content))}&gzip=1")
)
def test_any_form(body: str) -> None:
    """Whatever the body is: results, or one error that says what is wrong."""
    for request in (
        Request(data=body, app_id="sensors", ingest_time=NOW),
        Request(uri=f"/sa.gif?{body}", app_id="sensors", ingest_time=NOW),
    ):
        try:
            found: Sequence[Result] = list(SensorsData().transform(request))
        except InputError:
            continue
        for each in found:
            assert_whole(each)


@given(sensors_request())
def test_any_request_of_an_sdk(sent: tuple[str, str]) -> None:
    """Nothing of what SDKs send is refused, and all is the same when it is read again."""
    data, uri = sent
    requests = [Request(data=data, uri=uri, app_id="sensors", rid=rid, ingest_time=NOW) for rid in ("r-1", "r-2")]
    once, again = (list(SensorsData().transform(request)) for request in requests)
    assert once == again
    assert not [each for each in once if isinstance(each, Rejected)]
