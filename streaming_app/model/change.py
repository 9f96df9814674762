"""A change of a user's or an item's attributes that a client sent as a message of its own, which is not an event.

Sensors Data's ``profile_*`` and ``item_*`` messages are such changes. They are stored as they were sent, so that ``user`` can be
rebuilt from them at any time.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from streaming_app.model.columns import json_text, text, time_ms

ChangeType = Literal[
    "profile_set",
    "profile_set_once",
    "profile_increment",
    "profile_append",
    "profile_unset",
    "profile_delete",
    "item_set",
    "item_delete",
]


class Change(msgspec.Struct, gc=False):
    """One change in the client's own time (epoch ms); ``app_id``, ``event_id``, ``event_name`` and ``event_time_msec`` are
    required, and ``user_pseudo_id`` of a user's change or ``item_id`` of an item's."""

    event_id: Annotated[str | None, text("id of the message, unique in its app")] = None
    event_time_msec: Annotated[int | None, time_ms("time of the change, epoch ms")] = None
    event_name: Annotated[
        ChangeType | None, text("profile_set, profile_set_once, profile_increment, …, item_set, item_delete")
    ] = None
    ingest_time_msec: Annotated[int | None, time_ms("server's receive time, epoch ms, whole seconds")] = None
    app_id: Annotated[str | None, text("app the change belongs to")] = None
    user_pseudo_id: Annotated[str | None, text("pseudonymous id of the user")] = None
    user_id: Annotated[str | None, text("login id")] = None
    item_type: Annotated[str | None, text("kind of the item")] = None
    item_id: Annotated[str | None, text("id of the item")] = None
    properties_json_str: Annotated[
        str | None, json_text("the attributes as they were sent, JSON object: name to value, amount, or list of what is appended")
    ] = None
    process_info: Annotated[str | None, json_text("lineage: request, file, line, corrections, what was shortened")] = None

    position: int | None = None
    """Which element of the payload it came from, as in Event."""
    notes: dict[str, Any] | None = None
    """Notes of the transformer for ``process_info``, as in Event."""
    upload_time_msec: int | None = None
    """When the client sent it, as in Event."""
    is_derived: bool | None = None
    """Whether it is derived from the element that its transformer yielded before it, as in Event."""
