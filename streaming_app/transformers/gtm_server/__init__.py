"""Google Tag Manager, server-side: GA4-style events that a tag server sends on behalf of browsers and apps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from streaming_app.errors import InputError, Reason
from streaming_app.model.coerce import as_object
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.plugins.depth import check_depth
from streaming_app.plugins.payload import elements, payload_bytes
from streaming_app.plugins.transformer import Limits, Rejected
from streaming_app.transformers.field_mapper import PRESETS, FieldMapper, UnreadableValues, new_row
from streaming_app.transformers.gtm_server import fields as keys
from streaming_app.transformers.gtm_server.context import (
    encode_user_properties,
    read_client,
    read_location,
    read_page,
    read_screen,
    read_time,
)
from streaming_app.transformers.gtm_server.ids import derive_events, event_id
from streaming_app.transformers.gtm_server.items import read_items

_encode = msgspec.json.Encoder().encode
_MAPPER = FieldMapper(keys.CONSUMED, kept=keys.KEPT, check_integers=True)  # JSON has larger integers than columns have


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
            if system := as_object(element.get(keys.SYSTEM)):
                yield from derive_events(event, system)

    def _event(self, element: dict[str, Any], request: Request, position: int) -> Event:
        row = new_row()
        custom: dict[str, Any] = {}
        unreadable: UnreadableValues = {}
        _MAPPER.fill(row, element, custom, unreadable)
        event = Event(*row)
        server = as_object(element.get(keys.SERVER))
        read_time(event, server, request.ingest_time)
        _check_required(event)
        read_location(event, custom, server)
        read_screen(event, custom.get("screen_resolution"))
        read_page(event)
        read_items(event, custom, self._limits, unreadable)
        if user := as_object(custom.get(keys.USER_PROPERTIES)):
            event.user_properties_json_str = encode_user_properties(user)
        read_client(event, custom)
        if custom:
            event.custom_parameters_json_str = self._encode(custom, element)
        if unreadable:
            check_depth(unreadable, self._limits.max_depth)
            event.notes = {"unreadable": unreadable}
        event.app_id, event.position = request.app_id, position
        event.event_id = event_id(request, element, position, event.session_id, event.session_number)
        return event

    def _encode(self, custom: dict[str, Any], element: dict[str, Any]) -> str:
        text = _encode(custom)
        # Nothing is nested deeper than there are brackets: this is quicker than to walk through every event.
        if text.count(b"{") + text.count(b"[") > self._limits.max_depth:
            check_depth(element, self._limits.max_depth)
        return text.decode()


def _check_required(event: Event) -> None:
    name = event.event_name
    if not name:
        raise InputError("event_name missing")
    if event.event_time_msec is None:
        raise InputError(f"no time: neither {keys.SERVER}.request_start_time_ms nor the request's ingest_time")
    event.event_name = PRESETS.get(name, name)
