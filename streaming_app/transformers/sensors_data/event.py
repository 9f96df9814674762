"""From a Sensors Data message to an event: columns first, all that has none as custom parameters."""

from __future__ import annotations

from typing import Any

import msgspec

from streaming_app.model.coerce import as_int
from streaming_app.model.event import Event
from streaming_app.plugins.depth import check_depth
from streaming_app.plugins.transformer import Limits
from streaming_app.transformers.presets import PRESETS
from streaming_app.transformers.sensors_data.columns import AT, BLANK, fill, fill_campaign, fill_pages
from streaming_app.transformers.sensors_data.fields import SERVER_SDKS
from streaming_app.transformers.sensors_data.items import items_of
from streaming_app.transformers.sensors_data.read import Message, coerce_value

_encode = msgspec.json.Encoder().encode
_NAME, _TIME, _SESSION_START = AT["event_name"], AT["event_time_msec"], AT["session_start_time_msec"]
_USER, _PSEUDO, _FLUSHED, _NOTES = AT["user_id"], AT["user_pseudo_id"], AT["upload_time_msec"], AT["notes"]
_PLATFORM, _SYSTEM, _NETWORK = AT["platform"], AT["device_operating_system"], AT["device_network_type"]
_ZONE, _ENGAGED, _FIRST = AT["device_time_zone_offset_seconds"], AT["user_engagement_time_msec"], AT["app_start_is_first_time"]
_CUSTOM, _ITEMS = AT["custom_parameters_json_str"], AT["items"]
_SDK, _UA, _IP = AT["sdk_name"], AT["ua"], AT["ip"]


def event_of(message: Message, limits: Limits) -> Event:
    """The event, without ids of its own and its app's.

    Raises:
        TooLarge: parameters nested too deep.
    """
    row = BLANK.copy()
    unreadable = message.unreadable
    custom = fill(row, message)
    row[_NAME] = PRESETS.get(message.name or "", message.name)
    row[_TIME] = row[_SESSION_START] = message.time
    row[_PSEUDO], row[_USER], row[_FLUSHED] = message.sender.distinct, message.sender.login, message.flush_time
    row[_PLATFORM] = row[_SYSTEM] or "Web"
    if row[_ZONE] is not None:
        row[_ZONE] *= -60  # minutes west of UTC to seconds east
    if row[_ENGAGED] is not None:
        row[_ENGAGED] = as_int(round(row[_ENGAGED] * 1000, 0))
    if row[_NAME] != "$AppStart":
        row[_FIRST] = None
    if "$wifi" in custom and coerce_value(bool, "$wifi", custom.pop("$wifi"), unreadable) and row[_NETWORK] is None:
        row[_NETWORK] = "WIFI"
    fill_pages(row, custom)
    fill_campaign(row)
    if items := message.sent.get("items"):
        row[_ITEMS] = items_of(items, limits, unreadable)
    if row[_SDK] and row[_SDK].lower() in SERVER_SDKS:
        row[_UA], row[_IP] = "", row[_IP] or ""  # not the request's: only what the server tells of the client counts
    row[_CUSTOM] = encode_json(custom, limits)
    row[_NOTES] = notes_of(message, limits)
    return Event(*row)


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
