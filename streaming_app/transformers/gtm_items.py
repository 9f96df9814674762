"""The ``items`` array of a GTM event, with the parameters that GA4 defines for items."""

from __future__ import annotations

from typing import Any

import msgspec

from streaming_app.model.coerce import COERCE
from streaming_app.model.item import Item
from streaming_app.transformers.gtm_fields import ITEM

_encode = msgspec.json.Encoder().encode
_NO_LIST = ("item_list_name", "")
"""What GA4 sends where an item was shown in no list."""


def items_of(sent: Any, currency: str | None, most: int, unreadable: dict[str, Any]) -> list[Item]:
    """The items that have an id, in order; ``currency`` is the event's, for items without one of their own.

    What is no such item, and what is beyond the first ``most``, is kept in ``unreadable``.
    """
    if not isinstance(sent, list):
        unreadable["items"] = sent
        return []
    within, left = sent[:most], []
    items = []
    for each in within:
        if isinstance(each, dict) and each.get("item_id") not in (None, ""):
            items.append(_item(each, currency))
        else:
            left.append(each)
    if left := left + sent[most:]:
        unreadable["items"] = left
    return items


def _item(sent: dict[str, Any], currency: str | None) -> Item:
    fields: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    for key, value in sent.items():
        known = ITEM.get(key)
        if known is None:
            if (key, value) != _NO_LIST:
                custom[key] = value
        elif value is not None:
            name, kind = known
            read = value if value.__class__ is kind else COERCE[kind](value)
            if read is None:
                custom[key] = value  # not a number after all: kept as it was sent
            else:
                fields[name] = read
    if not fields.get("currency"):
        fields["currency"] = currency
    if custom:
        fields["custom_parameters_json_str"] = _encode(custom).decode()
    return Item(**fields)
