"""Sensors Data (JavaScript, mobile and server SDKs): messages in a form, in a beacon, or in the address of an image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from streaming_app.config.section import Section
from streaming_app.errors import InputError, Reason
from streaming_app.model.change import Change
from streaming_app.model.coerce import as_bool
from streaming_app.model.event import Event
from streaming_app.model.request import Request
from streaming_app.plugins.payload import elements, payload_bytes
from streaming_app.plugins.transformer import Limits, Rejected
from streaming_app.transformers.sensors_data.changes import change_of
from streaming_app.transformers.sensors_data.event import event_of
from streaming_app.transformers.sensors_data.fields import CHANGES
from streaming_app.transformers.sensors_data.identity import link_of
from streaming_app.transformers.sensors_data.ids import FIRST_OPEN, message_id, request_id
from streaming_app.transformers.sensors_data.read import Message, read_message

_BASE_ONLY: dict[str, Any] = {"items": None, "user_engagement_time_msec": None}
"""What the base event alone has: a sum over all events would count it twice."""


class SensorsOptions(Section):
    """What a configuration may say of the ``sensors_data`` transformer."""

    ids_by_request: tuple[str, ...] = ("Android",)
    """SDKs (``lib.$lib``) whose events get the reference system's id: request id, position in the payload and distinct id. What
    they send again is another event then. All other ids are made of the message: sent again, it is the same."""


class SensorsData:
    """Tracks of the SDKs become events, ``profile_*`` and ``item_*`` messages become changes of attributes.

    Ids are those of :mod:`.ids`: a message that is sent again is the same event or change. Only events of the SDKs in
    ``ids_by_request`` keep the reference system's, which are other ones then. Whose an anonymous id is comes as a change of
    its own (:mod:`.identity`).
    """

    Options = SensorsOptions

    def __init__(self, options: SensorsOptions | None = None, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._ids_by_request = frozenset((options or SensorsOptions()).ids_by_request)

    def transform(self, request: Request) -> Iterator[Event | Change | Rejected]:
        """What the messages of one request say, in payload order; each event followed by what it tells besides.

        Raises:
            InputError: the payload as a whole cannot be read.
        """
        payload = payload_bytes(request.data, request.uri, self._limits)
        seen: dict[str, int] = {}
        for position, element in enumerate(elements(payload, self._limits), request.first_position):
            try:
                if isinstance(element, InputError):
                    raise element
                message = read_message(element, request.ingest_time)
                result = change_of(message, self._limits) if message.kind in CHANGES else event_of(message, self._limits)
                result.event_id = self._id(result, message, request, position, seen)
            except (InputError, RecursionError) as error:
                reason = error.reason if isinstance(error, InputError) else Reason.TOO_LARGE
                yield Rejected(reason, str(error), position, type(error).__name__)
                continue
            result.app_id, result.position = request.app_id, position
            yield result
            if isinstance(result, Event):
                yield from _besides(result, message)

    def _id(self, made: Event | Change, message: Message, request: Request, position: int, seen: dict[str, int]) -> str:
        if isinstance(made, Event) and request.rid and made.sdk_name in self._ids_by_request:
            return request_id(request.rid, position, message.sender.distinct)
        return message_id(message.sent, seen)


def _besides(event: Event, message: Message) -> Iterator[Event | Change]:
    """``_first_open`` of a first visit, and whose the anonymous id is."""
    if "$is_first_time" in message.properties and as_bool(message.properties["$is_first_time"]):
        named: dict[str, Any] = {"event_name": "_first_open", "event_id": f"{event.event_id}{FIRST_OPEN}"}
        yield msgspec.structs.replace(event, is_derived=True, **named, **_BASE_ONLY)
    if link := link_of(event, message.sender.anonymous, message.kind):
        yield link
