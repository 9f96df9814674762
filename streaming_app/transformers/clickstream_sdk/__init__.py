"""Clickstream SDK (web and mobile): a payload of events, each with reserved attributes, user attributes and items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from streaming_app.errors import InputError
from streaming_app.model.coerce import INT64, as_float, as_int, as_text
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.model.web_address import query_value
from streaming_app.plugins.depth import check_depth
from streaming_app.plugins.payload import elements, payload_bytes
from streaming_app.plugins.transformer import Limits, Rejected
from streaming_app.plugins.urls import split_url
from streaming_app.transformers.clickstream_sdk import fields as keys
from streaming_app.transformers.clickstream_sdk.items import items_of
from streaming_app.transformers.clickstream_sdk.user import read_user
from streaming_app.transformers.field_mapper import (
    FieldMapper,
    UnreadableValues,
    coerce_value,
    key_positions,
    new_row,
    read_object,
)

_encode = msgspec.json.Encoder().encode
_TOP = FieldMapper(keys.TOP, fallbacks=keys.TOP_ALIASES, postponed=("user", "attributes", "items"))
_REQUIRED = key_positions(keys.REQUIRED)
_ATTRIBUTES = FieldMapper(keys.ATTRIBUTES, fallbacks=keys.ATTRIBUTE_FALLBACKS, postponed=keys.DEFERRED)


class ClickstreamSdk:
    """Requests of the Clickstream SDK for web, Android, iOS, Flutter, React Native and WeChat."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()

    def transform(self, request: Request) -> Iterator[Event | Rejected]:
        """The events of one request, in payload order.

        Raises:
            InputError: the payload as a whole cannot be read.
        """
        payload = payload_bytes(request.data, request.uri, self._limits)
        bundle = as_int(query_value(request.uri, "event_bundle_sequence_id"))
        for position, element in enumerate(elements(payload, self._limits), request.first_position):
            if isinstance(element, InputError):
                yield Rejected(element.reason, str(element), position, type(element).__name__)
                continue
            try:
                event = self._event(element)
            except InputError as error:
                yield Rejected(error.reason, str(error), position, type(error).__name__)
                continue
            event.event_bundle_sequence_id = bundle
            event.position = position
            yield event

    def _event(self, element: dict[str, Any]) -> Event:
        row = new_row()
        custom: dict[str, Any] = {}
        unreadable: UnreadableValues = {}
        nested = _TOP.fill(row, element, custom, unreadable)
        if missing := [key for key, position in _REQUIRED if row[position] is None or row[position] == ""]:
            raise InputError(f"{', '.join(missing)} missing or unreadable")
        attributes = read_object("attributes", nested, unreadable)
        postponed = _ATTRIBUTES.fill(row, attributes, custom, unreadable)
        event = Event(*row)
        if postponed:
            _finish_attributes(event, postponed, unreadable)
        if (zone := event.device_time_zone_offset_seconds) is not None and zone in INT64:
            # sent as milliseconds; cut towards zero; a larger number does not fit its column
            event.device_time_zone_offset_seconds = int(zone / 1000)
        if event.platform is None:
            event.platform = "Web"
        elif event.platform.lower() in keys.SYSTEM_PLATFORMS:
            event.device_operating_system = event.platform
        if keys.IN_USD in nested and event.event_value is not None and event.event_value_currency is None:
            event.event_value_currency = "USD" if as_float(nested[keys.IN_USD]) == event.event_value else None
        _fill_urls(event)
        if user := read_object("user", nested, unreadable):
            read_user(event, user, unreadable)
        if items := nested.get("items"):
            event.items = items_of(items, self._limits, unreadable)
        if custom:
            check_depth(custom, self._limits.max_depth)
            event.custom_parameters_json_str = _encode(custom).decode()
        if unreadable:
            check_depth(unreadable, self._limits.max_depth)
            event.notes = {"unreadable": unreadable}
        return event


def _finish_attributes(event: Event, postponed: dict[str, Any], unreadable: UnreadableValues) -> None:
    """Attributes whose column depends on the event's name, and those that only help where another is missing."""
    for key, column in keys.BY_EVENT.get(event.event_name or "", {}).items():
        if (value := postponed.get(key)) is not None:
            setattr(event, column, coerce_value(keys.DEFERRED[key], key, value, unreadable))
    if (entrances := postponed.get("_entrances")) is not None:
        event.page_view_entrances = event.screen_view_entrances = coerce_value(bool, "_entrances", entrances, unreadable)
    if (click := postponed.get("_gclid")) and event.traffic_source_clid is None:
        event.traffic_source_clid = _encode({"type": "gclid", "value": as_text(click)}).decode()


def _fill_urls(event: Event) -> None:
    """Host, path and parameters; the host name that the client sent wins over the URL's."""
    if event.page_view_page_url:
        host, path, params = split_url(event.page_view_page_url)
        event.page_view_page_url_path, event.page_view_page_url_query_parameters = path, params
        if event.page_view_hostname is None:
            event.page_view_hostname = host
    if event.page_view_latest_referrer and event.page_view_latest_referrer_host is None:
        event.page_view_latest_referrer_host = split_url(event.page_view_latest_referrer).host
