"""A boolean is no number: in every numeric column and every time, of every client, it is null, and noted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streaming_app.derive.user_rows import merge_properties
from streaming_app.model.change import Change
from streaming_app.model.columns import columns_of
from streaming_app.model.event import Event
from streaming_app.model.item import Item
from streaming_app.model.request import Request, parse_request
from streaming_app.plugins.transformer import Rejected
from streaming_app.transformers.clickstream_sdk import ClickstreamSdk
from streaming_app.transformers.clickstream_sdk import fields as sdk
from streaming_app.transformers.gtm_server import GtmServer
from streaming_app.transformers.gtm_server import fields as gtm
from streaming_app.transformers.sensors_data import SensorsData
from streaming_app.transformers.sensors_data import fields as sensors
from tests.support.raw import NOW

NUMERIC = {column.name for kind in (Event, Item) for column in columns_of(kind) if column.type in ("bigint", "int", "double")}
BOOLEANS = [True, False]

SDK = {"event_id": "e", "event_type": "_page_view", "app_id": "shop", "timestamp": NOW}
GTM = {"event_name": "view"}
SENSORS = {"type": "track", "event": "buy", "time": NOW, "distinct_id": "d"}


def numbers(*fields: dict[str, tuple[str, type]]) -> list[str]:
    return sorted({key for each in fields for key, (_, kind) in each.items() if kind in (int, float)})


def message(key: str, value: Any) -> tuple[Any, dict[str, Any]]:
    """A Sensors Data message; of its keys only ``time`` is no property."""
    return SensorsData(), SENSORS | ({key: value} if key in SENSORS else {"properties": {key: value}})


# client: (keys that fill numeric columns, a transformer and an element with a key)
CLIENTS: dict[str, tuple[list[str], Any]] = {
    "sdk": (
        sorted({*numbers(sdk.TOP, sdk.TOP_ALIASES)} - {"timestamp"}),
        lambda key, value: (ClickstreamSdk(), SDK | {key: value}),
    ),
    "sdk attributes": (
        [*numbers(sdk.ATTRIBUTES, sdk.ATTRIBUTE_FALLBACKS), "_engagement_time_msec", "_previous_timestamp"],
        lambda key, value: (ClickstreamSdk(), SDK | {"attributes": {key: value}}),
    ),
    "gtm": (numbers(gtm.CONSUMED), lambda key, value: (GtmServer(), GTM | {key: value})),
    "sensors": (["time", *numbers(sensors.PROPERTIES, sensors.KEPT)], message),
}
CASES = [(client, key) for client, (keys, _) in CLIENTS.items() for key in keys]


def results(transformer: Any, element: Any) -> list[Event | Change | Rejected]:
    request = Request(data=json.dumps([element]), app_id="a", rid="r", ingest_time=NOW)
    return list(transformer.transform(request))


@pytest.mark.parametrize("sent", BOOLEANS)
@pytest.mark.parametrize(("client", "key"), CASES, ids=str)
def test_numeric_columns(client: str, key: str, sent: bool) -> None:
    transformer, element = CLIENTS[client][1](key, sent)
    [event] = results(transformer, element)
    assert isinstance(event, Event)
    columns = {name: getattr(event, name) for name in NUMERIC & set(Event.__struct_fields__)}
    times = {"event_time_msec", "session_start_time_msec"}  # by the other clock where there is one
    assert {name: value for name, value in columns.items() if value is not None and name not in times} == {}
    assert columns["event_time_msec"] == NOW
    assert event.notes == {"unreadable": {key: sent}}


@pytest.mark.parametrize("sent", BOOLEANS)
def test_an_event_of_the_sdk_needs_a_time(sent: bool) -> None:
    [rejected] = results(ClickstreamSdk(), SDK | {"timestamp": sent})
    assert isinstance(rejected, Rejected)
    assert "timestamp" in rejected.message


@pytest.mark.parametrize("sent", BOOLEANS)
@pytest.mark.parametrize("client", ["sdk", "gtm", "sensors"])
def test_items(client: str, sent: bool) -> None:
    transformer, element = CLIENTS[client][1]("x", 1)
    key = "$item_id" if client == "sensors" else "item_id"
    [event] = results(transformer, element | {"items": [{key: "i", "price": sent, "quantity": sent}]})
    assert isinstance(event, Event)
    [item] = event.items or []
    assert (item.price, item.quantity) == (None, None)
    assert json.loads(item.custom_parameters_json_str or "") == {"price": sent, "quantity": sent}


@pytest.mark.parametrize("sent", BOOLEANS)
def test_other_times_and_numbers(sent: bool) -> None:
    """Of a request, a session and attributes."""
    line = json.dumps({"ingest_time": sent, "client_timestamp": sent, "upload_timestamp": sent, "rid": "r"}).encode()
    request = parse_request(line)
    assert (request.ingest_time, request.client_timestamp, request.upload_time, request.rid) == (None, None, None, "r")
    [event] = results(GtmServer(), GTM | {"x-sst-system_properties": {"request_start_time_ms": sent}})
    assert isinstance(event, Event)
    assert (event.event_time_msec, event.session_start_time_msec) == (NOW, None)
    [event] = results(SensorsData(), SENSORS | {"_flush_time": sent})
    assert isinstance(event, Event)
    assert event.upload_time_msec is None
    user = {"_user_first_touch_timestamp": {"value": sent}, "_user_age": {"value": sent, "set_timestamp": sent}}
    [event] = results(ClickstreamSdk(), SDK | {"user": user})
    assert isinstance(event, Event)
    assert event.user_first_touch_time_msec is None
    assert json.loads(event.user_properties_json_str or "")["_user_age"] == {"value": sent, "set_time_msec": None}


@pytest.mark.parametrize("sent", [0, 1, -1, "1", 1.0])
def test_numbers_stay_numbers(sent: Any) -> None:
    [event] = results(ClickstreamSdk(), SDK | {"screen_width": sent})
    assert isinstance(event, Event)
    assert event.device_screen_width == int(sent)
    request = parse_request(json.dumps({"ingest_time": sent, "data": "x", "cut": True}).encode())
    assert (request.ingest_time, request.cut, request.data) == (None if sent == -1 else int(sent), False, "x")


def test_a_set_time_that_is_none_is_the_events() -> None:
    """Rows that older versions or plugins stored may have one."""
    told = json.dumps({"x": {"value": 1, "set_time_msec": True}})
    assert json.loads(merge_properties([f"{NOW} {told}"])) == {"x": {"value": 1, "set_time_msec": NOW}}
