"""Clickstream SDK (web and mobile): a payload of events, each with reserved attributes, user attributes and items."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from streaming_app.errors import InputError
from streaming_app.model.coerce import COERCE, INT64, as_float, as_int, as_text
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.model.web_address import query_value
from streaming_app.plugins.depth import check_depth
from streaming_app.plugins.payload import decode_tolerantly, elements, payload_bytes
from streaming_app.plugins.transformer import Limits, Rejected
from streaming_app.plugins.urls import split_url
from streaming_app.transformers.clickstream_sdk import fields as keys
from streaming_app.transformers.clickstream_sdk.items import items_of
from streaming_app.transformers.clickstream_sdk.user import read_user

_encode = msgspec.json.Encoder().encode
_BLANK: list[Any] = [None] * len(Event.__struct_fields__)
_AT = {name: position for position, name in enumerate(Event.__struct_fields__)}
_EVENT_ID, _NAME, _TIME, _APP = (_AT[name] for name in ("event_id", "event_name", "event_time_msec", "app_id"))
_PLATFORM, _SYSTEM = _AT["platform"], _AT["device_operating_system"]
_VALUE, _CURRENCY = _AT["event_value"], _AT["event_value_currency"]
_CLICK_ID, _URL = _AT["traffic_source_clid"], _AT["page_view_page_url"]
_PATH, _PARAMS = _AT["page_view_page_url_path"], _AT["page_view_page_url_query_parameters"]
_HOST, _REFERRER = _AT["page_view_hostname"], _AT["page_view_latest_referrer"]
_REFERRER_HOST = _AT["page_view_latest_referrer_host"]
_ZONE, _CUSTOM, _ITEMS, _NOTES = (
    _AT["device_time_zone_offset_seconds"],
    _AT["custom_parameters_json_str"],
    _AT["items"],
    _AT["notes"],
)
_Slot = tuple[int, type]


def _slots(fields: dict[str, keys.Field]) -> dict[str, _Slot]:
    return {key: (_AT[column], kind) for key, (column, kind) in fields.items()}


_TOP, _ATTRIBUTES = _slots(keys.TOP), _slots(keys.ATTRIBUTES)
_LATER_IN_TOP: dict[str, _Slot | None] = {**_slots(keys.TOP_ALIASES), "user": None, "attributes": None, "items": None}
_LATER_IN_ATTRIBUTES: dict[str, _Slot | None] = {**_slots(keys.ATTRIBUTE_FALLBACKS), **dict.fromkeys(keys.DEFERRED)}
_BY_EVENT = {name: {key: _AT[column] for key, column in columns.items()} for name, columns in keys.BY_EVENT.items()}
_REQUIRED = [(key, _AT[column]) for key, column in keys.REQUIRED.items()]


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
        row = _BLANK.copy()
        custom: dict[str, Any] = {}
        unreadable: dict[str, Any] = {}
        nested = _fill(row, element, _TOP, _LATER_IN_TOP, custom, unreadable)
        _check_required(row)
        if attributes := _object("attributes", nested, unreadable):
            deferred = _fill(row, attributes, _ATTRIBUTES, _LATER_IN_ATTRIBUTES, custom, unreadable)
            if deferred:
                _finish_attributes(row, deferred, unreadable)
        if row[_ZONE] is not None and row[_ZONE] in INT64:
            row[_ZONE] = int(row[_ZONE] / 1000)  # milliseconds, cut towards zero; a larger number does not fit its column
        if row[_PLATFORM] is None:
            row[_PLATFORM] = "Web"
        elif row[_PLATFORM].lower() in keys.SYSTEM_PLATFORMS:
            row[_SYSTEM] = row[_PLATFORM]
        if keys.IN_USD in nested and row[_VALUE] is not None and row[_CURRENCY] is None:
            row[_CURRENCY] = "USD" if as_float(nested[keys.IN_USD]) == row[_VALUE] else None
        _fill_urls(row)
        if user := _object("user", nested, unreadable):
            read_user(row, user, unreadable)
        if items := nested.get("items"):
            row[_ITEMS] = items_of(items, self._limits, unreadable)
        if custom:
            check_depth(custom, self._limits.max_depth)
            row[_CUSTOM] = _encode(custom).decode()
        if unreadable:
            check_depth(unreadable, self._limits.max_depth)
            row[_NOTES] = {"unreadable": unreadable}
        return Event(*row)


def _fill(
    row: list[Any],
    source: dict[str, Any],
    now: dict[str, _Slot],
    later: dict[str, _Slot | None],
    custom: dict[str, Any],
    unreadable: dict[str, Any],
) -> dict[str, Any]:
    """Put each known key into its column and each unknown one into ``custom``; returns those in ``later``.

    A key in ``later`` that has a column fills it where nothing else did. The first loop runs some forty times per event:
    one look-up and one type comparison for the ordinary key.
    """
    deferred: dict[str, Any] = {}
    for key, value in source.items():
        slot = now.get(key)
        if slot is not None:
            position, kind = slot
            if value.__class__ is kind:
                row[position] = value
            elif value is not None and (read := _coerce_value(kind, key, value, unreadable)) is not None:
                row[position] = read
        elif key in later:
            deferred[key] = value
        else:
            custom[key] = value
    for key, value in deferred.items():
        slot = later[key]
        if slot is not None and row[slot[0]] is None and value is not None:
            row[slot[0]] = _coerce_value(slot[1], key, value, unreadable)
    return deferred


def _coerce_value(kind: type, key: str, value: Any, unreadable: dict[str, Any]) -> Any:
    """The value in its column's type; what cannot be read is null there and kept in ``process_info``."""
    read = COERCE[kind](value)
    if read is None and value not in ("", "null"):
        unreadable[key] = value
    return read


def _check_required(row: list[Any]) -> None:
    missing = [key for key, at in _REQUIRED if row[at] is None or row[at] == ""]
    if missing:
        raise InputError(f"{', '.join(missing)} missing or unreadable")


def _finish_attributes(row: list[Any], deferred: dict[str, Any], unreadable: dict[str, Any]) -> None:
    """Attributes whose column depends on the event's name, and those that only help where another is missing."""
    for key, column in _BY_EVENT.get(row[_NAME], {}).items():
        if (value := deferred.get(key)) is not None:
            row[column] = _coerce_value(keys.DEFERRED[key], key, value, unreadable)
    if (entrances := deferred.get("_entrances")) is not None:
        row[_AT["page_view_entrances"]] = row[_AT["screen_view_entrances"]] = _coerce_value(
            bool, "_entrances", entrances, unreadable
        )
    if (click := deferred.get("_gclid")) and row[_CLICK_ID] is None:
        row[_CLICK_ID] = _encode({"type": "gclid", "value": as_text(click)}).decode()


def _fill_urls(row: list[Any]) -> None:
    """Host, path and parameters; the host name that the client sent wins over the URL's."""
    if row[_URL]:
        host, path, params = split_url(row[_URL])
        row[_PATH], row[_PARAMS] = path, params
        if row[_HOST] is None:
            row[_HOST] = host
    if row[_REFERRER] and row[_REFERRER_HOST] is None:
        row[_REFERRER_HOST] = split_url(row[_REFERRER]).host


def _object(key: str, source: dict[str, Any], unreadable: dict[str, Any]) -> dict[str, Any]:
    """An object, also where it was sent as JSON text; {} and a note where it is something else."""
    sent = value = source.get(key)
    if isinstance(value, str) and value[:1] == "{":
        with suppress(InputError):
            value = decode_tolerantly(value.encode())
    if isinstance(value, dict):
        return value
    if sent not in (None, ""):
        unreadable[key] = sent
    return {}
