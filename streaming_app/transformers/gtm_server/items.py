"""The ``items`` array of a GTM event, with the parameters that GA4 defines for items."""

from __future__ import annotations

from typing import Any

import msgspec

from streaming_app.model.coerce import COERCE, as_text
from streaming_app.model.event import Event
from streaming_app.model.item import Item
from streaming_app.plugins.depth import check_depth
from streaming_app.plugins.transformer import Limits
from streaming_app.transformers.gtm_server.fields import ITEM

_encode = msgspec.json.Encoder().encode
_NO_LIST = ("item_list_name", "")
"""What GA4 sends where an item was shown in no list."""


def read_items(event: Event, custom: dict[str, Any], limits: Limits, unreadable: dict[str, Any]) -> None:
    """Take ``items`` out of ``custom``: those that have an id, in order.

    An item without a currency of its own has the event's. What is no such item, and what is beyond the limit, is kept in
    ``unreadable``.

    Raises:
        TooLarge: parameters of an item are nested too deep.
    """
    sent = custom.pop("items", None)
    if not sent:
        return
    if not isinstance(sent, list):
        unreadable["items"] = sent
        return
    check_depth(sent, limits.max_depth)
    within, beyond = sent[: limits.max_items_per_event], sent[limits.max_items_per_event :]
    items = [_item(each, event.event_value_currency) for each in within if _has_id(each)]
    if left := [each for each in within if not _has_id(each)] + beyond:
        unreadable["items"] = left
    event.items = items
    if as_text(custom.get("item_id")) in [item.item_id for item in items]:
        del custom["item_id"]  # an event of one item may repeat its id


def _has_id(sent: Any) -> bool:
    return isinstance(sent, dict) and sent.get("item_id") not in (None, "")


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
