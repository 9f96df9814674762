"""What each key of a GTM server-side payload becomes, and that nothing in one event keeps another from being read.

What is sent stays what was sent: every key that does not become a column is a custom parameter.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.config.model import RulesSection
from streaming_app.enrichers.user_agent import UserAgent
from streaming_app.enrichers.user_agent.options import UserAgentOptions
from streaming_app.errors import InputError, MalformedPayload, Reason, TooLarge
from streaming_app.ingest.transform.time_rules import TimeRules
from streaming_app.ingest.write.event_table import EventTable
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.plugins.transformer import Limits, Rejected
from streaming_app.plugins.validate_elements import validate_result
from streaming_app.privacy.addresses import client_address
from streaming_app.storage.files import Storage
from streaming_app.transformers.field_mapper import PRESETS
from streaming_app.transformers.gtm_server import GtmServer
from streaming_app.transformers.gtm_server import fields as gtm_fields
from tests.support.raw import NOW

LEAST = {"event_name": "view"}
"""The key that an event must have."""

Columns = dict[str, Any]


def request(payload: Any, **fields: Any) -> Request:
    return Request(**{"data": json.dumps(payload), "app_id": "web", "rid": "r", "ingest_time": NOW, **fields})


def read(element: dict[str, Any], limits: Limits | None = None, **fields: Any) -> list[Event]:
    """The events of a payload of one element: the base one, and those derived from it."""
    events = list(GtmServer(limits).transform(request(element, **fields)))
    assert all(isinstance(event, Event) for event in events), events
    return [event for event in events if isinstance(event, Event)]


def filled(struct: msgspec.Struct) -> Columns:
    """The fields that have a value, JSON text parsed, items likewise."""
    columns = {name: value for name, value in msgspec.structs.asdict(struct).items() if value not in (None, "")}
    for name in columns.keys() & {"custom_parameters_json_str", "user_properties_json_str", "device_ua", "client_hints"}:
        columns[name] = json.loads(columns[name])
    if "items" in columns:
        columns["items"] = [filled(item) for item in columns["items"]]
    return columns


def custom(**values: Any) -> Columns:
    return {"custom_parameters_json_str": values}


def kept(sent: dict[str, Any], **columns: Any) -> tuple[dict[str, Any], Columns]:
    """Keys that are custom parameters as they are sent, and fill columns beside."""
    return sent, {**custom(**sent), **columns}


def server(**sent: Any) -> dict[str, Any]:
    return {"x-sst-system_properties": sent}


def system(**sent: Any) -> dict[str, Any]:
    return {"x-ga-system_properties": sent}


def hints(**sent: Any) -> dict[str, Any]:
    return {"client_hints": sent}


def told(sent: dict[str, Any], **columns: Any) -> tuple[dict[str, Any], Columns]:
    """Hints, which the enrichers get as well."""
    return kept(hints(**sent), client_hints=sent, **columns)


def brand(name: Any, version: Any = None) -> dict[str, Any]:
    return {"brand": name, "version": version}


def items(*sent: Any) -> dict[str, Any]:
    return {"items": list(sent)}


def unreadable(**values: Any) -> Columns:
    return {"notes": {"unreadable": values}}


def prop(value: Any) -> Columns:
    return {"value": value, "set_time_msec": None}


def user(sent: dict[str, Any], **properties: Any) -> tuple[dict[str, Any], Columns]:
    """Attributes, which are a custom parameter as well."""
    columns = {name: prop(value) for name, value in properties.items()}
    return kept({"x-ga-mp2-user_properties": sent}, **({"user_properties_json_str": columns} if columns else {}))


GA4_ITEM = {
    "item_id": "i",
    "item_name": "N",
    "item_brand": "B",
    "currency": "JPY",
    "price": "9.5",
    "quantity": 2,
    "item_category": "1",
    "item_category2": "2",
    "item_category3": "3",
    "item_category4": "4",
    "item_category5": "5",
    "creative_name": "cn",
    "creative_slot": "cs",
    "location_id": "l",
    "index": 1,
    "coupon": "A",
    "item_list_name": "L",
    "discount": 0.5,
    "id": "x",
    "brand": "y",
}
EARLIER = NOW - 5_000
BASIS = {
    "event_id": "r-0-null-x",
    "event_name": "view",
    "app_id": "web",
    "event_time_msec": NOW,
    "platform": "Web",
    "position": 0,
}

# name: (keys of the element besides the least, columns filled besides the basis)
CASES: dict[str, tuple[dict[str, Any], Columns]] = {
    "nothing else": ({}, {}),
    "null is nothing": ({"user_id": None, "value": None, "page_location": None, "items": None}, {}),
    **{
        f"event name {sent}": ({"event_name": sent}, {"event_name": name})
        for sent, name in {
            **PRESETS,
            "purchase": "purchase",
            "_page_view": "_page_view",
            "PDP Clicks": "PDP Clicks",
        }.items()
    },
    # Types
    "columns": (
        {"user_id": "u", "language": "en-us", "page_title": "T", "engagement_time_msec": 7, "currency": "EUR", "value": 2},
        {
            "user_id": "u",
            "device_system_language": "en-us",
            "page_view_page_title": "T",
            "user_engagement_time_msec": 7,
            "event_value_currency": "EUR",
            "event_value": 2.0,
        },
    ),
    "numeric text": ({"value": " 1e2", "engagement_time_msec": "7.9"}, {"event_value": 100.0, "user_engagement_time_msec": 7}),
    "unreadable": (
        {"value": "five", "engagement_time_msec": [1], "ga_session_number": {"a": 1}},
        unreadable(value="five", engagement_time_msec=[1], ga_session_number={"a": 1}),
    ),
    "beyond 64 bits": (
        {"engagement_time_msec": 2**63, "x": 2**64, "y": -(2**70)},
        {**unreadable(engagement_time_msec=2**63), **custom(x=float(2**64), y=float(-(2**70)))},
    ),
    "empty and null text are nothing": ({"value": "", "engagement_time_msec": "null"}, {}),
    "an object for a text": ({"page_title": {"a": 1}}, {"page_view_page_title": '{"a":1}'}),
    "a value of 0": ({"value": 0}, {"event_value": 0.0}),
    "other keys": ({"a": None, "b": "", "_c": [1, {"d": 2.5}]}, custom(a=None, b="", _c=[1, {"d": 2.5}])),
    # Ids
    "a session": (
        {"ga_session_id": "s", "ga_session_number": "3"},
        {"session_id": "s", "session_number": 3, "event_id": "r-0-s-3"},
    ),
    "a session by a number": ({"ga_session_id": 17}, {"session_id": "17", "event_id": "r-0-17-x"}),
    "a pseudonymous id": kept({"client_id": "c=.1"}, user_pseudo_id="c=.1"),
    # Time
    "the time the tag server got it": kept(
        server(request_start_time_ms=EARLIER), event_time_msec=EARLIER, session_start_time_msec=EARLIER
    ),
    "the same as text": kept(
        server(request_start_time_ms=str(EARLIER)), event_time_msec=EARLIER, session_start_time_msec=EARLIER
    ),
    **{
        f"no such time: {sent}": kept(server(request_start_time_ms=sent))
        for sent in (None, 0, -5, "soon", [EARLIER], 2**64 * 1.0)
    },
    # Page
    "page": (
        {"page_location": "http://a.example/p?x=1&x=2", "page_referrer": "https://b.example/?q=a+b"},
        {
            "page_view_page_url": "http://a.example/p?x=1&x=2",
            "page_view_page_referrer": "https://b.example/?q=a+b",
            "page_view_hostname": "a.example",
            "page_view_page_url_path": "/p",
            "page_view_page_url_query_parameters": '{"x":"1,2"}',
        },
    ),
    "a page that is none": ({"page_location": "http://[::1"}, {"page_view_page_url": "http://[::1"}),
    "screen": kept({"screen_resolution": "1440x900"}, device_screen_width=1440, device_screen_height=900),
    "half a screen": kept({"screen_resolution": "1440x"}, device_screen_width=1440),
    **{f"screen {sent}": kept({"screen_resolution": sent}) for sent in ("wide", 1440, None, "x" * 100)},
    # Client
    "agent": kept({"user_agent": 'A"1'}, ua='A"1', device_ua={"string": 'A"1'}),
    "address": kept({"ip_override": "192.0.2.7"}, ip="192.0.2.7"),
    "neither": kept({"user_agent": "", "ip_override": None}),
    "hints without brands": told(
        {"platform": '"Chrome OS"', "platform_version": '"14.0"', "model": "m", "mobile": True},
        platform="ChromeOS",
        device_operating_system="Chrome OS",
        device_operating_system_version="14.0",
    ),
    "a phone without a platform": told({"mobile": True, "platform": ""}, platform="Mobile"),
    "no phone without a platform": told({"mobile": False, "platform": "-"}, device_operating_system="-"),
    "all hints": told(
        {
            "brands": [brand("Not/A)Brand", "8"), brand("Chromium", "116"), brand('"Edge"', "116"), brand("Other", "1")],
            "full_version_list": [brand("Chromium", "116.0.1"), brand("Edge", "116.0.2"), brand("Not.A/Brand", "8.0")],
            "platform": "Android",
            "platform_version": "14",
            "model": "Pixel 8",
        },
        platform="Android",
        device_operating_system="Android",
        device_operating_system_version="14",
        device_mobile_brand_name="Edge",
        device_mobile_model_name="Pixel 8",
        device_ua_browser="Edge",
        device_ua_browser_version="116.0.2",
        device_ua_os="Android",
        device_ua_os_version="14",
    ),
    "Chromium itself": told(
        {"brands": [brand("Not)A;Brand", "8"), brand("Chromium", "116")]}, device_mobile_brand_name="Chromium"
    ),
    "a placeholder alone": told(
        {"brands": [brand(" Not A;Brand", "99")], "model": "Pixel 8"}, device_mobile_model_name="Pixel 8"
    ),
    "hints in the browser's spelling": told(
        {"fullVersionList": [brand("A", "1.2")], "platformVersion": "14"},
        device_operating_system_version="14",
        device_ua_browser="A",
        device_ua_browser_version="1.2",
        device_ua_os_version="14",
    ),
    "pages without a host": (
        {"page_location": "/cart?x=1"},
        {
            "page_view_page_url": "/cart?x=1",
            "page_view_page_url_path": "/cart",
            "page_view_page_url_query_parameters": '{"x":"1"}',
        },
    ),
    "the last of the exact brands": told(
        {"full_version_list": [brand("A", "1"), brand("B", "2")]}, device_ua_browser="B", device_ua_browser_version="2"
    ),
    "hints of wrong types": told(
        {"brands": [1, None, {"brand": 5}, {}], "full_version_list": "A", "platform": 5, "model": [], "mobile": "maybe"}
    ),
    "hints that are none": kept({"client_hints": "Windows"}),
    "empty hints": kept({"client_hints": {}}),
    # Place
    "place": kept(
        {"event_location": {"country": "FR", "region": "IDF"}, "x-ga-ur": "US-TX", **server(uc="US")},
        geo_country="FR",
        geo_region="IDF",
    ),
    "a country without a region": kept(
        {"event_location": {"country": "US"}, "x-ga-ur": "US-TX"}, geo_country="US", geo_region="US-TX"
    ),
    "a place without a country": kept({"event_location": {"region": "IDF"}, **server(uc="US")}, geo_region="IDF"),
    "a country by consent": kept({**server(uc="US"), "x-ga-ur": "US-TX"}, geo_country="US", geo_region="US-TX"),
    "places that are none": kept({"event_location": {"country": 1, "region": []}, "x-ga-ur": 5}),
    # Objects
    "objects are kept as they were sent": kept(
        {
            **server(consent={"consentGrantedState": {"ad_storage": True}, "new": 1}, tft="5", uc=None),
            **system(dbg="1", fv="0", ss="ss1", x={}),
            "event_location": {},
            "x-ga-mp2-user_properties": "none",
        }
    ),
    "lists for objects": kept({"x-sst-system_properties": [1], "x-ga-system_properties": [], "x-ga-mp2-user_properties": [1]}),
    # User attributes
    "attributes": user(
        {"_user_id": "u", "age": 25, "gender": "", "tags": ["a"], "is_new": False, "none": None},
        user_id="u",
        age=25,
        gender="",
        tags=["a"],
        is_new=False,
    ),
    "two user ids": user({"_user_id": "u", "user_id": "v"}, _user_id="u", user_id="v"),
    "an age in text": user({"age": "25"}, age=25),
    **{f"age {age!r}": user({"age": age}, age=age) for age in ("old", 25.5, [2], "", True)},
    "no attributes": user({"age": None}),
    # Items
    "an item of GA4": (
        items(GA4_ITEM),
        {
            "items": [
                {
                    "item_id": "i",
                    "name": "N",
                    "brand": "B",
                    "currency": "JPY",
                    "price": 9.5,
                    "quantity": 2.0,
                    "category": "1",
                    "category2": "2",
                    "category3": "3",
                    "category4": "4",
                    "category5": "5",
                    "creative_name": "cn",
                    "creative_slot": "cs",
                    "location_id": "l",
                    **custom(index=1, coupon="A", item_list_name="L", discount=0.5, id="x", brand="y"),
                }
            ]
        },
    ),
    "the event's currency": (
        {"currency": "EUR", **items({"item_id": 1}, {"item_id": "2", "currency": ""}, {"item_id": "3", "currency": "USD"})},
        {
            "event_value_currency": "EUR",
            "items": [
                {"item_id": number, "currency": currency} for number, currency in zip("123", ("EUR", "EUR", "USD"), strict=True)
            ],
        },
    ),
    "an item in no list": (items({"item_id": "i", "item_list_name": ""}), {"items": [{"item_id": "i"}]}),
    "a price that is none": (
        items({"item_id": "i", "price": "free", "quantity": None}),
        {"items": [{"item_id": "i", **custom(price="free")}]},
    ),
    "items that are none": (
        items(5, {"item_id": "i"}, {"item_id": ""}, {"item_name": "N"}),
        {"items": [{"item_id": "i"}], **unreadable(items=[5, {"item_id": ""}, {"item_name": "N"}])},
    ),
    "no array of items": ({"items": {"item_id": "i"}}, unreadable(items={"item_id": "i"})),
    "the item's id beside it": ({"item_id": 1, **items({"item_id": "1"})}, {"items": [{"item_id": "1"}]}),
    "another id beside it": ({"item_id": "2", **items({"item_id": "1"})}, {"items": [{"item_id": "1"}], **custom(item_id="2")}),
    "an id without items": kept({"item_id": "2"}),
}


@pytest.mark.parametrize("case", CASES)
def test_columns(case: str) -> None:
    sent, columns = CASES[case]
    [event] = read({**LEAST, **sent})
    assert filled(event) == {**BASIS, **columns}


BASE = ("_page_view", "r-0-s-1")
FIRST, START = ("_first_open", "r-0-s-1-first-open"), ("_session_start", "r-0-s-1-session-start")


@pytest.mark.parametrize(
    ("sent", "more"),
    [
        *[({"fv": sent}, [FIRST]) for sent in ("1", "2", 1, True, "yes")],
        *[({"fv": sent}, []) for sent in (None, "", "0", 0, "false", "FALSE", False)],
        *[({"ss": sent}, [START]) for sent in ("1", 1, True)],
        *[({"ss": sent}, []) for sent in (None, "", "0", "ss1", False, {"a": 1})],
        ({"ss": "1", "fv": "1"}, [FIRST, START]),
    ],
)
def test_events_that_follow_from_another(sent: dict[str, Any], more: list[tuple[str, str]]) -> None:
    """They are like it, but for what is summed up, what the user is and what was bought: that is told once."""
    element = {
        "event_name": "page_view",
        "ga_session_id": "s",
        "ga_session_number": 1,
        "client_id": "c",
        "x": 1,
        "value": 5,
        "currency": "EUR",
        "engagement_time_msec": 9,
        "ip_override": "192.0.2.7",
        "user_agent": "A",
        **items({"item_id": "i"}),
        **system(**sent),
        "x-ga-mp2-user_properties": {"tier": "gold"},
    }
    base, *others = read(element)
    assert [(each.event_name, each.event_id) for each in (base, *others)] == [BASE, *more]
    once = {"items", "user_properties_json_str", "event_value", "event_value_currency", "user_engagement_time_msec"}
    for other in others:
        left = {name: value for name, value in filled(base).items() if name not in once}
        assert filled(other) == {**left, "event_name": other.event_name, "event_id": other.event_id, "is_derived": True}


def test_ids_without_a_request_id() -> None:
    """The same line gives the same id again; another element, place or time of receipt another one."""
    element = {**LEAST, "x": {"b": 1, "a": 2}}
    [event] = read(element, rid=None)
    first = event.event_id or ""
    assert len(first) == len("-0-null-x") + 32
    assert [each.event_id for each in read({**LEAST, "x": {"a": 2, "b": 1}}, rid="")] == [first]
    others = [
        read({**element, "y": 1}, rid=None),
        read(element, rid=None, ingest_time=NOW + 1_000),
        read(element, rid=None, first_position=1),
    ]
    assert len({first, *(other[0].event_id for other in others)}) == 4


@pytest.mark.parametrize("long", ["s" * 300, "é" * 125, "s" * 235])
def test_long_ids_stay_apart(long: str) -> None:
    """The column holds 255 bytes: what is added at the end must fit."""
    element = {**LEAST, "ga_session_id": long, **system(fv="1", ss="1")}
    results = list(GtmServer().transform(request([element, element])))
    ids = [each.event_id or "" for each in results if isinstance(each, Event)]
    assert len({each.encode()[:255] for each in ids}) == 6


PAYLOAD = json.dumps([{**LEAST, "page_title": "Köln"}])


@pytest.mark.parametrize(
    "data",
    [PAYLOAD, PAYLOAD[1:-1], f"\n {PAYLOAD}\n", base64.b64encode(gzip.compress(PAYLOAD.encode())).decode()],
    ids=["array", "object", "blanks", "packed"],
)
def test_payloads(data: str) -> None:
    [event] = GtmServer().transform(Request(data=data, ingest_time=NOW))
    assert isinstance(event, Event)
    assert event.page_view_page_title == "Köln"


@pytest.mark.parametrize(
    ("data", "error"),
    [(None, MalformedPayload), (" ", MalformedPayload), ("text", MalformedPayload), (json.dumps([LEAST] * 3), TooLarge)],
)
def test_payloads_that_are_refused(data: str | None, error: type[InputError]) -> None:
    with pytest.raises(error):
        list(GtmServer(Limits(max_events_per_request=2)).transform(Request(data=data, ingest_time=NOW)))


def test_one_bad_element_takes_none_along() -> None:
    """Each is told from its siblings, by its position in the payload."""
    deep = [[[[1]]]]
    nested = [
        {"x": deep},
        {"x-ga-mp2-user_properties": {"x": deep}},
        items({"item_id": "i", "x": deep}),
        {"client_hints": {"x": deep}},
    ]
    bad: list[Any] = [5, None, {}, {"event_name": ""}, *({**LEAST, **each} for each in nested)]
    [first, *refused, last] = GtmServer(Limits(max_depth=3)).transform(request([LEAST, *bad, LEAST], first_position=10))
    assert isinstance(first, Event)
    assert isinstance(last, Event)
    assert [each.position for each in (first, *refused, last)] == list(range(10, 20))
    assert (first.event_id, last.event_id) == ("r-10-null-x", "r-19-null-x")
    assert [(each.reason, each.message) for each in refused if isinstance(each, Rejected)] == [
        *[(Reason.MALFORMED_EVENT, "not a JSON object")] * 2,
        *[(Reason.MALFORMED_EVENT, "event_name missing")] * 2,
        *[(Reason.TOO_LARGE, "nested deeper than 3 levels")] * 4,
    ]


def test_broken_json_takes_none_along() -> None:
    data = f'[{json.dumps(LEAST)}, {{"event_name": bad}}, {{"event_name":"view","value":NaN,"x":Infinity}}]'
    first, broken, last = GtmServer().transform(Request(data=data, ingest_time=NOW))
    assert isinstance(broken, Rejected)
    assert (type(first), type(last)) == (Event, Event)


def test_no_time_at_all() -> None:
    [refused] = GtmServer().transform(Request(data=json.dumps(LEAST)))
    assert isinstance(refused, Rejected)
    assert refused.reason == Reason.MALFORMED_EVENT


def test_items_beyond_the_limit_are_kept_as_sent() -> None:
    sent = [{"item_id": each} for each in "012"]
    [event] = read({**LEAST, "items": sent}, Limits(max_items_per_event=2))
    assert [item.item_id for item in event.items or ()] == ["0", "1"]
    assert event.notes == {"unreadable": {"items": sent[2:]}}


def test_a_tag_server_is_not_taken_for_the_user() -> None:
    """Its agent and address are in the request, and nowhere else; an enricher that has neither knows nothing."""
    events = [*read({**LEAST, "ip_override": "192.0.2.7", "user_agent": "A"}), *read(LEAST)]
    sender = request(LEAST, ua="Server/1", ip="198.51.100.1")
    table = EventTable("p")
    infos = table.add(sender, events, {"rid": "r", "source_ip": "198.51.100.1"})
    made = table.make().to_pylist()
    assert [(row["ua"], row["ip"], row["device_ua"]) for row in made] == [("A", "192.0.2.7", '{"string":"A"}'), ("", "", None)]
    assert infos == ['{"rid":"r"}'] * 2
    table.add(sender, events, {})
    enricher = UserAgent(UserAgentOptions(), Storage())
    enricher.open()
    assert enricher.enrich(table.make())["is_bot"].to_pylist() == [True, None]
    assert client_address("") is None


@pytest.mark.parametrize(
    ("ahead_ms", "time_ms"),
    [(-60_000, -60_000), (999, 999), (1_000, 0), (300_000, 0), (3_600_000, None)],
)
def test_clock_of_the_tag_server(ahead_ms: int, time_ms: int | None) -> None:
    """When a request was sent is not known: a time that is a little ahead is that of its receipt, the session's start likewise."""
    [event] = read({**LEAST, **server(request_start_time_ms=NOW + ahead_ms)})
    verdict = TimeRules(RulesSection()).apply(event, NOW, None)
    if time_ms is None:
        assert verdict is not None
        assert verdict.reason == Reason.IN_FUTURE
    else:
        assert verdict is None
        assert (event.event_time_msec, event.session_start_time_msec) == (NOW + time_ms, NOW + time_ms)


TEXT = st.text(st.characters(exclude_categories=()), max_size=5)
KEYS = (*gtm_fields.CONSUMED, *gtm_fields.KEPT, *gtm_fields.ITEM, "items", "item_id", "screen_resolution", "x-ga-ur")
OBJECTS = ("client_hints", "event_location", "x-ga-system_properties", "x-sst-system_properties", "x-ga-mp2-user_properties")
INNER = (
    "brands",
    "full_version_list",
    "brand",
    "version",
    "platform",
    "mobile",
    "uc",
    "request_start_time_ms",
    "fv",
    "ss",
    "age",
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from(["1", "true", "1e999", "http://a/?b"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER) | TEXT, inner, max_size=4),
    max_leaves=12,
)
ELEMENTS = st.dictionaries(st.sampled_from((*KEYS, *OBJECTS)) | TEXT, VALUES, max_size=12) | VALUES


@given(
    before=st.lists(ELEMENTS, max_size=3),
    after=st.lists(ELEMENTS, max_size=2),
    named=st.booleans(),
    rid=st.sampled_from(["r", None]),
)
def test_anything_may_stand_beside_a_good_event(before: list[Any], after: list[Any], named: bool, rid: str | None) -> None:
    """Nothing raises, every element comes to something, and what is an event keeps the contract of its columns."""
    if named:
        before, after = ([LEAST | each if isinstance(each, dict) else each for each in part] for part in (before, after))
    results = list(GtmServer().transform(request([*before, {**LEAST, "x": "good"}, *after], rid=rid)))
    assert {each.position for each in results} == set(range(len(before) + 1 + len(after)))
    [good] = [each for each in results if each.position == len(before)]
    assert isinstance(good, Event)
    assert good.custom_parameters_json_str == '{"x":"good"}'
    assert all(validate_result(each, "gtm_server") == each for each in results)
    events = [each for each in results if isinstance(each, Event)]
    assert len({each.event_id for each in events}) == len(events)
    table = EventTable("p")
    table.add(Request(), events, {})
    assert len(table.make()) == len(events)


@pytest.mark.parametrize("depth", [10, 900, 990, 1_000, 100_000])
@pytest.mark.parametrize("key", ["x", "event_name", "items", "client_hints", "x-ga-mp2-user_properties"])
def test_deep_nesting(key: str, depth: int) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth  # deeper than json.dumps goes
    data = f'[{{"event_name":"view","{key}":{nested}}},{{"event_name":"view"}}]'
    results = list(GtmServer().transform(Request(data=data, ingest_time=NOW)))
    assert results[-1].position == 1
    assert isinstance(results[-1], Event)
