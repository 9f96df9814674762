"""From a Sensors Data message ``profile_*`` or ``item_*`` to a change of attributes."""

from __future__ import annotations

from typing import Any, cast

from streaming_app.errors import InputError
from streaming_app.model.change import Change, ChangeType
from streaming_app.model.coerce import as_text
from streaming_app.plugins.transformer import Limits
from streaming_app.transformers.sensors_data.event import encode_json, notes_of
from streaming_app.transformers.sensors_data.identity import IS_LOGIN
from streaming_app.transformers.sensors_data.read import Message


def change_of(message: Message, limits: Limits) -> Change:
    """The change, without its id and its app's; the attributes as they were sent.

    ``$is_login_id`` is left out of them: it tells what the distinct id is.

    Raises:
        InputError: neither a user nor an item is named, or the attributes are not a JSON object.
        TooLarge: nested too deep.
    """
    sent = message.sent
    item_id = as_text(sent.get("item_id"))
    is_item = (message.kind or "").startswith("item_")
    if is_item and not item_id:
        raise InputError("item_id missing")
    if not is_item and not message.sender.distinct:
        raise InputError("distinct_id missing or unreadable")
    if "properties" in message.unreadable:
        raise InputError("properties is not a JSON object")
    attributes: dict[str, Any] = {key: value for key, value in message.properties.items() if key != IS_LOGIN}
    return Change(
        event_time_msec=message.time,
        event_name=cast("ChangeType", message.kind),
        user_pseudo_id=None if is_item else message.sender.distinct,
        user_id=None if is_item else message.sender.login,
        item_type=as_text(sent.get("item_type")) if is_item else None,
        item_id=item_id if is_item else None,
        properties_json_str=encode_json(attributes, limits),
        notes=notes_of(message, limits),
        upload_time_msec=message.flush_time,
    )
