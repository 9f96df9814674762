"""From a Sensors Data message to an event: columns by the tables of :mod:`sensors_fields`, the rest as custom parameters."""

from __future__ import annotations

from typing import Any

import msgspec

from streaming_app.model.coerce import as_int
from streaming_app.model.event import Event
from streaming_app.transformers import sensors_fields as keys
from streaming_app.transformers.base import Limits
from streaming_app.transformers.depth import check_depth
from streaming_app.transformers.gtm_fields import NAMES
from streaming_app.transformers.sensors_items import items_of
from streaming_app.transformers.sensors_read import Message, Unreadable, coerced
from streaming_app.transformers.urls import split_url

_encode = msgspec.json.Encoder().encode
_BLANK: list[Any] = [None] * len(Event.__struct_fields__)
_AT = {name: position for position, name in enumerate(Event.__struct_fields__)}
_NAME, _TIME, _SESSION_START = _AT["event_name"], _AT["event_time_msec"], _AT["session_start_time_msec"]
_USER, _PSEUDO, _FLUSHED, _NOTES = _AT["user_id"], _AT["user_pseudo_id"], _AT["upload_time_msec"], _AT["notes"]
_PLATFORM, _SYSTEM, _NETWORK = _AT["platform"], _AT["device_operating_system"], _AT["device_network_type"]
_ZONE, _ENGAGED, _FIRST = _AT["device_time_zone_offset_seconds"], _AT["user_engagement_time_msec"], _AT["app_start_is_first_time"]
_URL, _PATH, _HOST = _AT["page_view_page_url"], _AT["page_view_page_url_path"], _AT["page_view_hostname"]
_PARAMS, _CUSTOM, _ITEMS = _AT["page_view_page_url_query_parameters"], _AT["custom_parameters_json_str"], _AT["items"]
_LATEST, _LATEST_HOST = _AT["page_view_latest_referrer"], _AT["page_view_latest_referrer_host"]
_REFERRERS = (_LATEST, _LATEST_HOST, _AT["page_view_page_referrer"])

_Slots = dict[str, tuple[int, type, bool]]


def _slots(fields: dict[str, keys.Field], *, kept: bool = False) -> _Slots:
    return {key: (_AT[column], kind, kept) for key, (column, kind) in fields.items()}


_PROPERTIES, _LIB = _slots(keys.PROPERTIES) | _slots(keys.KEPT, kept=True), _slots(keys.LIB)
_CAMPAIGNS = tuple({key: _AT[column] for key, column in campaign.items()} for campaign in keys.CAMPAIGNS)
_CAMPAIGN_KEYS = frozenset(key for campaign in keys.CAMPAIGNS for key in campaign)


def event_of(message: Message, limits: Limits) -> Event:
    """The event, without ids of its own and its app's.

    Raises:
        TooLarge: parameters nested too deep.
    """
    row = _BLANK.copy()
    unreadable = message.unreadable
    custom = _fill(row, message)
    row[_NAME] = NAMES.get(message.name or "", message.name)
    row[_TIME] = row[_SESSION_START] = message.time
    row[_PSEUDO], row[_USER], row[_FLUSHED] = message.who.distinct, message.who.login, message.flush_time
    row[_PLATFORM] = row[_SYSTEM] or "Web"
    if row[_ZONE] is not None:
        row[_ZONE] *= -60  # minutes west of UTC to seconds east
    if row[_ENGAGED] is not None:
        row[_ENGAGED] = as_int(round(row[_ENGAGED] * 1000, 0))
    if row[_NAME] != "$AppStart":
        row[_FIRST] = None
    if "$wifi" in custom and coerced(bool, "$wifi", custom.pop("$wifi"), unreadable) and row[_NETWORK] is None:
        row[_NETWORK] = "WIFI"
    _fill_pages(row)
    if not _CAMPAIGN_KEYS.isdisjoint(message.properties):
        _fill_campaign(row, message.properties, unreadable)
    if items := message.sent.get("items"):
        row[_ITEMS] = items_of(items, limits, unreadable)
    row[_CUSTOM] = encoded(custom, limits)
    row[_NOTES] = notes_of(message, limits)
    return Event(*row)


def _fill(row: list[Any], message: Message) -> dict[str, Any]:
    """Put each known key into its column; returns the custom parameters."""
    sent, unreadable = message.sent, message.unreadable
    custom = {key: value for key, value in sent.items() if key not in keys.CONSUMED}
    for source, slots in ((message.properties, _PROPERTIES), (message.lib, _LIB)):
        for key, value in source.items():
            slot = slots.get(key)
            if slot is None:
                custom[key] = value
                continue
            position, kind, kept = slot
            if kept:
                custom[key] = value
            if value.__class__ is kind:
                row[position] = value
            elif (read := coerced(kind, key, value, unreadable)) is not None:
                row[position] = read
    if message.identities:
        custom |= keys.IDENTITIES | message.identities
    custom["$time"] = message.time
    custom["$distinct_id"], custom["$anonymous_id"] = sent.get("distinct_id"), sent.get("anonymous_id")
    return custom


def _fill_pages(row: list[Any]) -> None:
    """Parts of the page's address, unless it is the name of an app's screen; no referrer where the SDK could not read one."""
    for position in _REFERRERS:
        value = row[position]
        if value and not value.isascii() and any(mark in value for mark in keys.NO_REFERRER):
            row[position] = None
    if row[_URL] and "://" in row[_URL]:
        row[_HOST], row[_PATH], row[_PARAMS] = split_url(row[_URL])
    if row[_LATEST] and row[_LATEST_HOST] is None and "://" in row[_LATEST]:
        row[_LATEST_HOST] = split_url(row[_LATEST]).host


def _fill_campaign(row: list[Any], properties: dict[str, Any], unreadable: Unreadable) -> None:
    for campaign in _CAMPAIGNS:
        told = {at: coerced(str, key, properties.get(key), unreadable) for key, at in campaign.items()}
        if any(told.values()):
            for position, value in told.items():
                row[position] = value
            return


def notes_of(message: Message, limits: Limits) -> dict[str, Any] | None:
    """What could not be read, for ``process_info``.

    Raises:
        TooLarge: nested too deep.
    """
    if not message.unreadable:
        return None
    encoded(message.unreadable, limits)
    return {"unreadable": message.unreadable}


def encoded(values: dict[str, Any], limits: Limits) -> str:
    """JSON text.

    Raises:
        TooLarge: nested too deep.
    """
    text = _encode(values)
    # Nothing is nested deeper than there are brackets: this is quicker than to walk through every event.
    if text.count(b"{") + text.count(b"[") > limits.max_depth:
        check_depth(values, limits.max_depth)
    return text.decode()
