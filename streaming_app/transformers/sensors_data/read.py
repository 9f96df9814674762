"""Reading the parts of a Sensors Data message tolerantly: what cannot be read is null and noted, never an error."""

from __future__ import annotations

from typing import Any, NamedTuple

from streaming_app.errors import InputError
from streaming_app.model.coerce import as_int, as_text
from streaming_app.transformers.field_mapper import UnreadableValues, coerce_value, read_object
from streaming_app.transformers.sensors_data.fields import CHANGES
from streaming_app.transformers.sensors_data.identity import SenderIds, read_sender_ids


class Message(NamedTuple):
    """One message: as it was sent, and what is read of it first. Times are epoch ms, by the client's clock."""

    sent: dict[str, Any]
    kind: str | None
    name: str | None
    time: int
    flush_time: int | None
    properties: dict[str, Any]
    lib: dict[str, Any]
    identities: dict[str, Any]
    sender: SenderIds
    unreadable: UnreadableValues


def read_message(sent: dict[str, Any], received: int | None) -> Message:
    """``received`` is the server's time, for a message without one of its own.

    Raises:
        InputError: it has no time, or is neither an event nor a change of attributes.
    """
    unreadable: UnreadableValues = {}
    kind, name = as_text(sent.get("type")), as_text(sent.get("event"))
    if kind not in CHANGES and not name:
        raise InputError(f"neither an event nor a change of attributes: type {kind}, no event")
    time = sent.get("time")
    if time.__class__ is not int:
        time = coerce_value(int, "time", time, unreadable)
        if time is None:
            time = received
        if time is None:
            raise InputError("time missing or unreadable, and the request has no ingest_time")
    flushed = as_int(sent.get("_flush_time"))
    properties = read_object("properties", sent, unreadable)
    lib, identities = read_object("lib", sent, unreadable), read_object("identities", sent, unreadable)
    return Message(
        sent,
        kind,
        name,
        time,
        flushed if flushed is not None and flushed >= time else None,  # else it was not this clock that told both
        properties,
        lib,
        identities,
        read_sender_ids(sent, kind, properties, identities),
        unreadable,
    )
