"""Google Tag Manager, server-side: GA4-style events that a tag server sends on behalf of browsers and apps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from streaming_app.errors import InputError
from streaming_app.model.coerce import COERCE, as_text
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.transformers import gtm_fields as keys
from streaming_app.transformers.base import Limits, Rejected
from streaming_app.transformers.depth import check_depth
from streaming_app.transformers.gtm_context import read_place, read_screen, read_time
from streaming_app.transformers.gtm_hints import DEFAULT_PLATFORM, read_hints
from streaming_app.transformers.gtm_ids import derived, event_id
from streaming_app.transformers.gtm_items import items_of
from streaming_app.transformers.gtm_user import properties_of
from streaming_app.transformers.payload import elements, payload_bytes
from streaming_app.transformers.urls import split_url

_encode = msgspec.json.Encoder().encode
_BLANK: list[Any] = [None] * len(Event.__struct_fields__)
_AT = {name: position for position, name in enumerate(Event.__struct_fields__)}
_ID, _NAME, _TIME, _APP, _POSITION = (_AT[name] for name in ("event_id", "event_name", "event_time_msec", "app_id", "position"))
_SESSION, _NUMBER, _CURRENCY, _PLATFORM = (
    _AT[name] for name in ("session_id", "session_number", "event_value_currency", "platform")
)
_URL, _HOST, _PATH = _AT["page_view_page_url"], _AT["page_view_hostname"], _AT["page_view_page_url_path"]
_PARAMS, _UA, _IP, _AGENT = _AT["page_view_page_url_query_parameters"], _AT["ua"], _AT["ip"], _AT["device_ua"]
_HINTS, _USER, _ITEMS = _AT["client_hints"], _AT["user_properties_json_str"], _AT["items"]
_CUSTOM, _NOTES = _AT["custom_parameters_json_str"], _AT["notes"]
_CONSUMED = {key: (_AT[column], kind) for key, (column, kind) in keys.CONSUMED.items()}
_KEPT = {key: _AT[column] for key, column in keys.KEPT.items()}


class GtmServer:
    """Requests of a server container of Google Tag Manager: one event, or an array of them.

    The address and the user agent of such a request are the tag server's. Those of the user are in each event; where an event
    has none they are "", so that nobody takes the server's for the user's.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()

    def transform(self, request: Request) -> Iterator[Event | Rejected]:
        """The events of one request in payload order, each followed by the first open or session start that it tells of.

        Raises:
            InputError: the payload as a whole cannot be read.
        """
        payload = payload_bytes(request.data, request.uri, self._limits.max_payload_bytes)
        for position, element in enumerate(elements(payload, self._limits), request.first_position):
            try:
                if isinstance(element, InputError):
                    raise element
                event = self._event(element, request, position)
            except InputError as error:
                yield Rejected(error.reason, str(error), position, type(error).__name__)
                continue
            yield event
            if system := _object(element, keys.SYSTEM):
                yield from derived(event, system)

    def _event(self, element: dict[str, Any], request: Request, position: int) -> Event:
        check_depth(element, self._limits.max_depth)
        row = _BLANK.copy()
        custom: dict[str, Any] = {}
        unreadable: dict[str, Any] = {}
        _fill(row, element, custom, unreadable)
        _name(row)
        server = _object(element, keys.SERVER)
        read_time(row, server, request.ingest_time)
        if row[_TIME] is None:
            raise InputError("no time: neither request_start_time_ms nor the request's ingest_time")
        read_place(row, custom, server)
        read_screen(row, custom.get("screen_resolution"))
        _read_client(row, custom)
        if row[_URL]:
            row[_HOST], row[_PATH], row[_PARAMS] = split_url(row[_URL])
        if user := _object(custom, keys.USER_PROPERTIES):
            row[_USER] = properties_of(user)
        if items := custom.pop("items", None):
            row[_ITEMS] = items_of(items, row[_CURRENCY], self._limits.max_items_per_event, unreadable)
            _drop_repeated_id(custom, row)
        if custom:
            row[_CUSTOM] = _encode(custom).decode()
        if unreadable:
            row[_NOTES] = {"unreadable": unreadable}
        row[_APP], row[_POSITION] = request.app_id, position
        row[_ID] = event_id(request, element, position, row[_SESSION], row[_NUMBER])
        return Event(*row)


def _fill(row: list[Any], element: dict[str, Any], custom: dict[str, Any], unreadable: dict[str, Any]) -> None:
    """Put each key of :data:`keys.CONSUMED` into its column and all others into ``custom``."""
    for key, value in element.items():
        slot = _CONSUMED.get(key)
        if slot is None:
            custom[key] = value
            continue
        position, kind = slot
        if value.__class__ is kind:
            row[position] = value
        elif value is not None:
            row[position] = read = COERCE[kind](value)
            if read is None and value not in ("", "null"):
                unreadable[key] = value
    for key, position in _KEPT.items():
        row[position] = as_text(custom.get(key))


def _name(row: list[Any]) -> None:
    name = row[_NAME]
    if not name:
        raise InputError("event_name missing")
    row[_NAME] = keys.NAMES.get(name, name)


def _read_client(row: list[Any], custom: dict[str, Any]) -> None:
    """Agent and hints, for the columns and for the enrichers."""
    if agent := row[_UA]:
        row[_AGENT] = _encode({"string": agent}).decode()
    row[_UA], row[_IP] = agent or "", row[_IP] or ""
    row[_PLATFORM] = DEFAULT_PLATFORM
    if hints := _object(custom, keys.HINTS):
        read_hints(row, hints)
        row[_HINTS] = _encode(hints).decode()


def _drop_repeated_id(custom: dict[str, Any], row: list[Any]) -> None:
    """An item's event may repeat the item's id beside ``items``."""
    if custom.get("item_id") in [item.item_id for item in row[_ITEMS]]:
        del custom["item_id"]


def _object(source: dict[str, Any], key: str) -> dict[str, Any]:
    """{} where it is none; it stays a custom parameter then."""
    value = source.get(key)
    return value if isinstance(value, dict) else {}
