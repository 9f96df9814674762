"""From a Sensors Data message to an event: columns first, all that has none as custom parameters."""

from __future__ import annotations

from typing import Any

import msgspec

from streaming_app.model.coerce import as_int
from streaming_app.model.event import Event
from streaming_app.model.item import Item
from streaming_app.plugins.depth import check_depth
from streaming_app.plugins.transformer import Limits
from streaming_app.transformers.clickstream_sdk.items import items_of
from streaming_app.transformers.field_mapper import PRESETS, UnreadableValues, coerce_value
from streaming_app.transformers.sensors_data.columns import fill, fill_campaign, fill_pages
from streaming_app.transformers.sensors_data.fields import SERVER_SDKS
from streaming_app.transformers.sensors_data.read import Message

_encode = msgspec.json.Encoder().encode
_ITEM_KEYS = {"$item_id": "item_id", "$item_name": "item_name", "$price": "price"}
"""Preset keys of an item to those of the Clickstream SDK; others with a $ are parameters."""


def event_of(message: Message, limits: Limits) -> Event:
    """The event, without ids of its own and its app's.

    Raises:
        TooLarge: parameters nested too deep.
    """
    unreadable = message.unreadable
    event, custom = fill(message)
    event.event_name = PRESETS.get(message.name or "", message.name)
    event.event_time_msec = event.session_start_time_msec = message.time
    event.user_pseudo_id, event.user_id = message.sender.distinct, message.sender.login
    event.upload_time_msec = message.flush_time
    event.platform = event.device_operating_system or "Web"
    if event.device_time_zone_offset_seconds is not None:
        event.device_time_zone_offset_seconds *= -60  # minutes west of UTC to seconds east
    if event.user_engagement_time_msec is not None:
        event.user_engagement_time_msec = as_int(round(event.user_engagement_time_msec * 1000, 0))  # sent as seconds
    if event.event_name != "$AppStart":
        event.app_start_is_first_time = None
    is_wifi = "$wifi" in custom and coerce_value(bool, "$wifi", custom.pop("$wifi"), unreadable)
    if is_wifi and event.device_network_type is None:
        event.device_network_type = "WIFI"
    fill_pages(event, custom)
    fill_campaign(event, message.properties)
    if items := message.sent.get("items"):
        event.items = _items_of(items, limits, unreadable)
    if event.sdk_name and event.sdk_name.lower() in SERVER_SDKS:
        event.ua, event.ip = "", event.ip or ""  # not the request's: only what the server tells of the client counts
    event.custom_parameters_json_str = encode_json(custom, limits)
    event.notes = notes_of(message, limits)
    return event


def _items_of(sent: Any, limits: Limits, unreadable: UnreadableValues) -> list[Item]:
    """The items that have an id, in order; what is not an item is kept in ``unreadable``."""
    return items_of([_rename_keys(each) for each in sent] if isinstance(sent, list) else sent, limits, unreadable)


def _rename_keys(sent: Any) -> Any:
    return {_ITEM_KEYS.get(key, key): value for key, value in sent.items()} if isinstance(sent, dict) else sent


def notes_of(message: Message, limits: Limits) -> dict[str, Any] | None:
    """What could not be read, for ``process_info``.

    Raises:
        TooLarge: nested too deep.
    """
    if not message.unreadable:
        return None
    encode_json(message.unreadable, limits)
    return {"unreadable": message.unreadable}


def encode_json(values: dict[str, Any], limits: Limits) -> str:
    """JSON text.

    Raises:
        TooLarge: nested too deep.
    """
    text = _encode(values)
    # Nothing is nested deeper than there are brackets: this is quicker than to walk through every event.
    if text.count(b"{") + text.count(b"[") > limits.max_depth:
        check_depth(values, limits.max_depth)
    return text.decode()
