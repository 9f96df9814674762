"""Filling the columns of an event's row from the keys of a Sensors Data message, by the tables of :mod:`.fields`."""

from __future__ import annotations

from typing import Any

from streaming_app.model.event import Event
from streaming_app.plugins.urls import split_url
from streaming_app.transformers.sensors_data import fields as keys
from streaming_app.transformers.sensors_data.read import Message, coerce_value

AT = {name: position for position, name in enumerate(Event.__struct_fields__)}
BLANK: list[Any] = [None] * (len(AT) + len(keys.CAMPAIGN))
"""A row: room for the event's fields, and behind them, until :func:`fill_campaign`, for the latest campaign."""

_URL, _PATH, _HOST = AT["page_view_page_url"], AT["page_view_page_url_path"], AT["page_view_hostname"]
_PARAMS, _REFERRER = AT["page_view_page_url_query_parameters"], AT["page_view_page_referrer"]
_LATEST, _LATEST_HOST = AT["page_view_latest_referrer"], AT["page_view_latest_referrer_host"]

_Slots = dict[str, tuple[int, type, bool]]


def _slots(fields: dict[str, keys.Field], *, kept: bool = False) -> _Slots:
    return {key: (AT[column], kind, kept) for key, (column, kind) in fields.items()}


_CAMPAIGN = slice(AT["traffic_source_source"], AT["traffic_source_term"] + 1)
_UTM: _Slots = {f"$utm_{name}": (_CAMPAIGN.start + place, str, True) for place, name in enumerate(keys.CAMPAIGN)}
_LATEST_UTM: _Slots = {f"$latest_utm_{name}": (len(AT) + place, str, True) for place, name in enumerate(keys.CAMPAIGN)}
_PROPERTIES = _slots(keys.PROPERTIES) | _slots(keys.KEPT, kept=True) | _UTM | _LATEST_UTM
_LIB = _slots(keys.LIB)


def fill(row: list[Any], message: Message) -> dict[str, Any]:
    """Put each known key into its column; returns the custom parameters."""
    sent, unreadable = message.sent, message.unreadable
    custom = {key: value for key, value in sent.items() if key not in keys.CONSUMED}
    for source, slots in ((message.properties, _PROPERTIES), (message.lib, _LIB)):
        slot_of = slots.get
        for key, value in source.items():
            slot = slot_of(key)
            if slot is None:
                custom[key] = value
                continue
            position, kind, kept = slot
            if kept:
                custom[key] = value
            if value.__class__ is kind:
                row[position] = value
            elif (read := coerce_value(kind, key, value, unreadable)) is not None:
                row[position] = read
    if message.identities:
        custom |= keys.IDENTITIES | message.identities
    custom["$time"] = message.time
    custom["$distinct_id"], custom["$anonymous_id"] = sent.get("distinct_id"), sent.get("anonymous_id")
    return custom


def fill_pages(row: list[Any], custom: dict[str, Any]) -> None:
    """Parts of the page's address. What is no address stays a parameter: no referrer is a screen of the same app, nor what
    the JavaScript SDK writes (in Chinese) where it could not read one.
    """
    if row[_URL] and "://" in row[_URL]:
        row[_HOST], row[_PATH], row[_PARAMS] = split_url(row[_URL])
    if row[_REFERRER] and "://" not in row[_REFERRER]:
        custom["$referrer"], row[_REFERRER] = row[_REFERRER], None
    if row[_LATEST_HOST] and not row[_LATEST_HOST].isascii():
        row[_LATEST_HOST] = None
    if row[_LATEST] and "://" not in row[_LATEST]:
        row[_LATEST] = None
    elif row[_LATEST] and row[_LATEST_HOST] is None:
        row[_LATEST_HOST] = split_url(row[_LATEST]).host


def fill_campaign(row: list[Any]) -> None:
    """The page's campaign, else the latest one: parts of the two are never mixed."""
    latest = row[len(AT) :]
    del row[len(AT) :]
    if any(latest) and not any(row[_CAMPAIGN]):
        row[_CAMPAIGN] = latest
