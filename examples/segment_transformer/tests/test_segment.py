"""The contract, and one call of each kind field by field."""

import json

from segment_transformer import Segment

from streaming_app.api import Event, Limits, Rejected, Request
from streaming_app.testing import assert_transformer_contract, process

SENT = {"messageId": "m-1", "anonymousId": "a-1", "userId": "u-1", "originalTimestamp": "2026-05-28T20:26:39.123Z"}
CONTEXT = {
    "ip": "203.0.113.7",
    "userAgent": "Mozilla/5.0",
    "page": {"url": "https://shop.example/p?x=1", "referrer": "https://news.example/", "title": "Shop"},
    "campaign": {"name": "spring", "source": "news", "medium": "email"},
}
PROPERTIES = {
    "revenue": "19.5",
    "currency": "EUR",
    "coupon": "X",
    "products": [{"product_id": "p-1", "price": 9.75, "quantity": "2"}],
}
CALLS = [
    {"type": "page", **SENT, "context": CONTEXT},
    {"type": "track", **SENT, "messageId": "m-2", "event": "Order Completed", "properties": PROPERTIES},
    {"type": "screen", **SENT, "messageId": "m-3", "properties": {"name": "Home"}},
    {"type": "identify", **SENT, "messageId": "m-4", "traits": {"plan": "gold"}},
    {"type": "group", **SENT, "messageId": "m-5"},
]
BATCH = {"batch": CALLS, "sentAt": "2026-05-28T20:26:41Z"}


def transformed(payload: object) -> list[Event | Rejected]:
    return list(Segment(Limits()).transform(Request(data=json.dumps(payload), app_id="shop")))


def test_contract() -> None:
    requests = [Request(data=json.dumps(payload), app_id="shop") for payload in (BATCH, CALLS, CALLS[0])]
    assert_transformer_contract(lambda: Segment(Limits()), requests)


def test_each_kind_of_call() -> None:
    page, track, screen, identify, group = transformed(BATCH)
    assert isinstance(page, Event)
    assert isinstance(track, Event)
    assert isinstance(screen, Event)
    assert isinstance(identify, Event)
    assert isinstance(group, Rejected)
    names = [each.event_name for each in (page, track, screen, identify)]
    assert names == ["_page_view", "Order Completed", "_screen_view", "_profile_set"]
    assert (page.event_id, page.user_pseudo_id, page.user_id) == ("m-1", "a-1", "u-1")
    assert (page.event_time_msec, page.upload_time_msec) == (1_779_999_999_123, 1_780_000_001_000)
    assert (page.ip, page.ua, page.page_view_hostname, page.page_view_page_url_path) == (
        "203.0.113.7",
        "Mozilla/5.0",
        "shop.example",
        "/p",
    )
    assert (page.page_view_page_referrer, page.page_view_page_title) == ("https://news.example/", "Shop")
    assert (page.traffic_source_source, page.traffic_source_medium, page.traffic_source_campaign) == ("news", "email", "spring")
    assert (track.event_value, track.event_value_currency) == (19.5, "EUR")
    assert [(item.item_id, item.price, item.quantity) for item in track.items or ()] == [("p-1", 9.75, 2.0)]
    assert json.loads(track.custom_parameters_json_str or "") == PROPERTIES
    assert json.loads(identify.user_properties_json_str or "") == {"plan": {"value": "gold", "set_time_msec": 1_779_999_999_123}}
    assert group.message == "type 'group' is none of track, page, screen, identify"


def test_one_call_alone_is_the_same_as_in_an_array() -> None:
    assert transformed(CALLS[0]) == transformed(CALLS[:1])


def test_what_a_run_stores() -> None:
    config = "project_id: test\napps: {shop: {transformer: 'segment_transformer:Segment'}}\n"
    request = {"appId": "shop", "rid": "r", "ingest_time": 1_780_000_002_000, "ip": "203.0.113.7", "data": json.dumps(BATCH)}
    tables = process(config, [json.dumps(request)])
    assert sorted(tables["event"]["event_id"].to_pylist()) == ["m-1", "m-2", "m-3", "m-4"]
    assert tables["item"]["item_id"].to_pylist() == ["p-1"]
    assert tables["user"]["user_id"].to_pylist() == ["u-1"]
    assert tables["quarantine"]["message"].to_pylist() == ["type 'group' is none of track, page, screen, identify"]
