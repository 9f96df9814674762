"""The ``user`` object of a Clickstream SDK event: {name: {value, set_timestamp}}."""

from __future__ import annotations

from typing import Any

import msgspec

from streaming_app.model.coerce import as_int, as_text
from streaming_app.model.event import Event

_encode = msgspec.json.Encoder().encode


def read_user(event: Event, user: dict[str, Any], unreadable: dict[str, Any]) -> None:
    """Fill user id, first touch and the properties as sent: name to value and set time (epoch ms, null if unknown)."""
    properties = {name: _property(value) for name, value in user.items() if value is not None}
    if "_user_id" in properties:
        login = properties["_user_id"]["value"]
        if not isinstance(login, dict | list):  # no id then: it stays in the properties as it was sent
            event.user_id = as_text(login)
    if "_user_first_touch_timestamp" in properties:
        sent = properties["_user_first_touch_timestamp"]["value"]
        event.user_first_touch_time_msec = as_int(sent)
        if event.user_first_touch_time_msec is None and sent is not None:
            unreadable["_user_first_touch_timestamp"] = sent
    for name in TYPED & properties.keys():
        number = as_int(properties[name]["value"])
        if number is not None:
            properties[name]["value"] = number
    if properties:
        event.user_properties_json_str = _encode(properties).decode()


TYPED = frozenset({"_user_age", "_user_first_touch_timestamp"})
"""Properties that are whole numbers; what cannot be read as one stays as it was sent."""


def _property(sent: Any) -> dict[str, Any]:
    if not isinstance(sent, dict):
        return {"value": sent, "set_time_msec": None}
    if "value" not in sent:
        return {"value": sent, "set_time_msec": None}
    set_time = sent.get("set_timestamp")
    return {"value": sent["value"], "set_time_msec": set_time if set_time.__class__ is int else as_int(set_time)}
