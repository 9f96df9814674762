"""Segment-spec calls as events: a payload is one call, an array of calls, or ``{"batch": [...]}``."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.json import encode

from segment_transformer.columns import CALL, CAMPAIGN, CONTEXT, PAGE, item, texts
from streaming_app import api

NAMES = {"track": None, "page": "_page_view", "screen": "_screen_view", "identify": "_profile_set"}
Call = dict[str, Any] | api.InputError


class Segment:
    """Track, page, screen and identify calls of Segment's specification; sessions are inferred from pauses."""

    def __init__(self, limits: api.Limits) -> None:
        self._limits = limits

    def transform(self, request: api.Request) -> Iterator[api.Event | api.Rejected]:
        payload = api.payload_bytes(request.data, request.uri, self._limits)
        for position, element in enumerate(api.elements(payload, self._limits), request.first_position):
            for call in self._calls(element):
                try:
                    yield self._event(call, request.app_id, position)
                except api.InputError as error:
                    yield api.Rejected(error.reason, str(error), position, type(error).__name__)

    def _calls(self, element: Call) -> Iterable[Call]:
        if isinstance(element, api.InputError) or not isinstance(element.get("batch"), list):
            return [element]
        calls, shared = api.elements(encode(element["batch"]), self._limits), {"sentAt": element.get("sentAt")}
        return (shared | call if isinstance(call, dict) else call for call in calls)

    def _event(self, call: Call, app_id: str | None, position: int) -> api.Event:
        if isinstance(call, api.InputError):
            raise call
        if (kind := call.get("type")) not in tuple(NAMES):
            raise api.InputError(f"type {kind!r:.50} is none of {', '.join(NAMES)}")
        api.check_depth(call, self._limits.max_depth)
        context, properties, traits = (api.as_object(call.get(key)) for key in ("context", "properties", "traits"))
        found = texts(call, CALL) | texts(context, CONTEXT)
        found |= texts(context.get("page"), PAGE) | texts(context.get("campaign"), CAMPAIGN)
        event = api.Event(app_id=app_id, position=position, **found)
        event.event_name = NAMES[kind] or event.event_name
        event.event_time_msec = time = api.epoch_ms(call.get("originalTimestamp") or call.get("timestamp"))
        event.upload_time_msec = api.epoch_ms(call.get("sentAt"))
        event.page_view_hostname, event.page_view_page_url_path, _ = api.split_url(event.page_view_page_url or "")
        event.event_value = api.as_float(properties.get("revenue"))
        event.event_value_currency = api.as_text(properties.get("currency"))
        if isinstance(products := properties.get("products"), list):
            event.items = [item(each) for each in products[: self._limits.max_items_per_event]]
        event.custom_parameters_json_str = encode(properties).decode() if properties else None
        user = {name: {"value": value, "set_time_msec": time} for name, value in traits.items()}
        event.user_properties_json_str = encode(user).decode() if user else None
        return event
