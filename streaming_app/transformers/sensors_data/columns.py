"""Filling the columns of an event from the keys of a Sensors Data message, by the tables of :mod:`.fields`."""

from __future__ import annotations

from typing import Any

from streaming_app.model.coerce import as_text
from streaming_app.model.event import Event
from streaming_app.plugins.urls import split_url
from streaming_app.transformers.field_mapper import FieldMapper, KeyTable, new_row
from streaming_app.transformers.sensors_data import fields as keys
from streaming_app.transformers.sensors_data.read import Message

_CAMPAIGN_COLUMNS = tuple(f"traffic_source_{name}" for name in keys.CAMPAIGN)
_UTM: KeyTable = {f"$utm_{name}": (f"traffic_source_{name}", str) for name in keys.CAMPAIGN}
_LATEST_UTM = tuple(f"$latest_utm_{name}" for name in keys.CAMPAIGN)
_PROPERTIES, _LIB = FieldMapper(keys.PROPERTIES, kept={**keys.KEPT, **_UTM}), FieldMapper(keys.LIB)


def fill(message: Message) -> tuple[Event, dict[str, Any]]:
    """An event with each known key in its column, and the custom parameters."""
    row = new_row()
    sent, unreadable = message.sent, message.unreadable
    custom = {key: value for key, value in sent.items() if key not in keys.CONSUMED}
    _PROPERTIES.fill(row, message.properties, custom, unreadable)
    _LIB.fill(row, message.lib, custom, unreadable)
    if message.identities:
        custom |= keys.IDENTITIES | message.identities
    custom["$time"] = message.time
    custom["$distinct_id"], custom["$anonymous_id"] = sent.get("distinct_id"), sent.get("anonymous_id")
    return Event(*row), custom


def fill_pages(event: Event, custom: dict[str, Any]) -> None:
    """Parts of the page's address. What is no address stays a parameter: no referrer is a screen of the same app, nor what
    the JavaScript SDK writes (in Chinese) where it could not read one.
    """
    url, referrer, latest = event.page_view_page_url, event.page_view_page_referrer, event.page_view_latest_referrer
    if url and "://" in url:
        event.page_view_hostname, event.page_view_page_url_path, event.page_view_page_url_query_parameters = split_url(url)
    if referrer and "://" not in referrer:
        custom["$referrer"], event.page_view_page_referrer = referrer, None
    if event.page_view_latest_referrer_host and not event.page_view_latest_referrer_host.isascii():
        event.page_view_latest_referrer_host = None
    if latest and "://" not in latest:
        event.page_view_latest_referrer = None
    elif latest and event.page_view_latest_referrer_host is None:
        event.page_view_latest_referrer_host = split_url(latest).host


def fill_campaign(event: Event, properties: dict[str, Any]) -> None:
    """The page's campaign, else the latest one: parts of the two are never mixed."""
    if properties.keys().isdisjoint(_LATEST_UTM) or any(getattr(event, column) for column in _CAMPAIGN_COLUMNS):
        return
    latest = [as_text(properties.get(key)) for key in _LATEST_UTM]
    if any(latest):
        for column, value in zip(_CAMPAIGN_COLUMNS, latest, strict=True):
            setattr(event, column, value)
