"""User attributes of a GTM event: the object ``x-ga-mp2-user_properties``, name to value."""

from __future__ import annotations

from typing import Any

import msgspec

from streaming_app.model.coerce import as_int

_encode = msgspec.json.Encoder().encode


def properties_of(sent: dict[str, Any]) -> str | None:
    """Attributes as the column has them, JSON {name: {value, set_time_msec}}; null where there are none.

    The time they were set is not sent: it is the event's, which stands beside them. ``_user_id`` is called ``user_id`` as in
    the reference system; an ``age`` in text is a number, and stays as it was sent where it is none.
    """
    properties = {name: {"value": value, "set_time_msec": None} for name, value in sent.items() if value is not None}
    if "_user_id" in properties:
        properties.setdefault("user_id", properties["_user_id"])
        if properties["user_id"] is properties["_user_id"]:
            del properties["_user_id"]
    if "age" in properties and isinstance(sent["age"], str) and (age := as_int(sent["age"])) is not None:
        properties["age"]["value"] = age
    return _encode(properties).decode() if properties else None
