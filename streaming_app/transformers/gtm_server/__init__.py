"""Google Tag Manager, server-side: GA4-style events that a tag server sends on behalf of browsers and apps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from streaming_app.errors import InputError, Reason
from streaming_app.model.coerce import COERCE, as_text
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.plugins.depth import check_depth
from streaming_app.plugins.payload import elements, payload_bytes
from streaming_app.plugins.transformer import Limits, Rejected
from streaming_app.transformers.gtm_server import fields as keys
from streaming_app.transformers.gtm_server.context import read_client, read_page, read_place, read_screen, read_time
from streaming_app.transformers.gtm_server.fields import AT
from streaming_app.transformers.gtm_server.ids import derive_events, event_id
from streaming_app.transformers.gtm_server.items import read_items
from streaming_app.transformers.gtm_server.user import properties_of
from streaming_app.transformers.presets import PRESETS

_encode = msgspec.json.Encoder().encode
_BLANK: list[Any] = [None] * len(AT)
_ID, _NAME, _TIME, _APP, _POSITION = (AT[name] for name in ("event_id", "event_name", "event_time_msec", "app_id", "position"))
_SESSION, _NUMBER = AT["session_id"], AT["session_number"]
_USER, _CUSTOM, _NOTES = AT["user_properties_json_str"], AT["custom_parameters_json_str"], AT["notes"]
_CONSUMED = {key: (AT[column], kind) for key, (column, kind) in keys.CONSUMED.items()}
_KEPT = {key: AT[column] for key, column in keys.KEPT.items()}


class GtmServer:
    """Requests of a server container of Google Tag Manager: one event, or an array of them.

    The address and the user agent of such a request are the tag server's. Those of the user are in each event; where an event
    has none they are "", so that the server's are not taken for the user's.
    """

    PROFILES_IN_ALL_EVENTS = True
    """Attributes have no set time and come with whatever event follows a change, not with logins alone."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()

    def transform(self, request: Request) -> Iterator[Event | Rejected]:
        """The events of one request in payload order, each followed by the first open or session start that it tells of.

        Raises:
            InputError: the payload as a whole cannot be read.
        """
        payload = payload_bytes(request.data, request.uri, self._limits)
        for position, element in enumerate(elements(payload, self._limits), request.first_position):
            try:
                if isinstance(element, InputError):
                    raise element
                event = self._event(element, request, position)
            except (InputError, RecursionError) as error:
                reason = error.reason if isinstance(error, InputError) else Reason.TOO_LARGE
                yield Rejected(reason, str(error), position, type(error).__name__)
                continue
            yield event
            if system := _object(element, keys.SYSTEM):
                yield from derive_events(event, system)

    def _event(self, element: dict[str, Any], request: Request, position: int) -> Event:
        row = _BLANK.copy()
        custom: dict[str, Any] = {}
        unreadable: dict[str, Any] = {}
        _fill(row, element, custom, unreadable)
        server = _object(element, keys.SERVER)
        read_time(row, server, request.ingest_time)
        _check_required(row)
        read_place(row, custom, server)
        read_screen(row, custom.get("screen_resolution"))
        read_page(row)
        read_items(row, custom, self._limits, unreadable)
        if user := _object(custom, keys.USER_PROPERTIES):
            row[_USER] = properties_of(user)
        read_client(row, custom)
        if custom:
            row[_CUSTOM] = self._encode(custom, element)
        if unreadable:
            check_depth(unreadable, self._limits.max_depth)
            row[_NOTES] = {"unreadable": unreadable}
        row[_APP], row[_POSITION] = request.app_id, position
        row[_ID] = event_id(request, element, position, row[_SESSION], row[_NUMBER])
        return Event(*row)

    def _encode(self, custom: dict[str, Any], element: dict[str, Any]) -> str:
        text = _encode(custom)
        # Nothing is nested deeper than there are brackets: this is quicker than to walk through every event.
        if text.count(b"{") + text.count(b"[") > self._limits.max_depth:
            check_depth(element, self._limits.max_depth)
        return text.decode()


def _fill(row: list[Any], element: dict[str, Any], custom: dict[str, Any], unreadable: dict[str, Any]) -> None:
    """Put each key of :data:`keys.CONSUMED` into its column and all others into ``custom``."""
    for key, value in element.items():
        slot = _CONSUMED.get(key)
        if slot is None:
            custom[key] = value
            continue
        position, kind = slot
        if value.__class__ is kind and kind is not int:  # JSON has larger integers than columns have
            row[position] = value
        elif value is not None:
            row[position] = read = COERCE[kind](value)
            if read is None and value not in ("", "null"):
                unreadable[key] = value
    for key, position in _KEPT.items():
        row[position] = as_text(custom.get(key))


def _check_required(row: list[Any]) -> None:
    name = row[_NAME]
    if not name:
        raise InputError("event_name missing")
    if row[_TIME] is None:
        raise InputError(f"no time: neither {keys.SERVER}.request_start_time_ms nor the request's ingest_time")
    row[_NAME] = PRESETS.get(name, name)


def _object(source: dict[str, Any], key: str) -> dict[str, Any]:
    """{} where it is none; it stays a custom parameter then."""
    value = source.get(key)
    return value if isinstance(value, dict) else {}
