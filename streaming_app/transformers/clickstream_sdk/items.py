"""The ``items`` array of a Clickstream SDK event."""

from __future__ import annotations

from typing import Any

import msgspec

from streaming_app.model.coerce import COERCE
from streaming_app.model.item import Item
from streaming_app.plugins.depth import check_depth
from streaming_app.plugins.transformer import Limits

_encode = msgspec.json.Encoder().encode
_NUMBERS = {"price", "quantity"}
_ALIASES = {"id": "item_id", "item_name": "name"}
_COLUMNS = {name: name for name in Item.__struct_fields__ if name != "custom_parameters_json_str"} | _ALIASES
_KEYS: dict[str, tuple[str, type]] = {key: (name, float if name in _NUMBERS else str) for key, name in _COLUMNS.items()}


def items_of(sent: Any, limits: Limits, unreadable: dict[str, Any]) -> list[Item]:
    """The items that have an id, in order; what is not an item is kept in ``unreadable``."""
    if not isinstance(sent, list):
        unreadable["items"] = sent
        return []
    within, beyond = sent[: limits.max_items_per_event], sent[limits.max_items_per_event :]
    items = [item for each in within if (item := _item(each, limits))]
    if left := [each for each in within if not _has_id(each)] + beyond:
        unreadable["items"] = left
    return items


def _has_id(sent: Any) -> bool:
    return isinstance(sent, dict) and any(sent.get(key) not in (None, "") for key in ("id", "item_id"))


def _item(sent: Any, limits: Limits) -> Item | None:
    if not _has_id(sent):
        return None
    fields: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    for key, value in sent.items():
        known = _KEYS.get(key)
        if known is None:
            custom[key] = value
        elif value is not None:
            name, kind = known
            read = value if value.__class__ is kind else COERCE[kind](value)
            if read is None:
                custom[key] = value  # not a number after all: kept as it was sent
            elif read != "" or name not in fields:  # an empty alias says nothing about the other's value
                fields[name] = read
    if custom:
        check_depth(custom, limits.max_depth)
        fields["custom_parameters_json_str"] = _encode(custom).decode()
    return Item(**fields)
