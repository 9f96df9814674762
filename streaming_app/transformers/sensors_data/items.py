"""The ``items`` array of a Sensors Data event."""

from __future__ import annotations

from typing import Any

from streaming_app.model.item import Item
from streaming_app.plugins.transformer import Limits
from streaming_app.transformers.clickstream_sdk import items as sdk_items

_NAMES = {"$item_id": "item_id", "$item_name": "item_name", "$price": "price"}


def items_of(sent: Any, limits: Limits, unreadable: dict[str, Any]) -> list[Item]:
    """The items that have an id, in order; what is not an item is kept in ``unreadable``. Other keys with a $ are parameters."""
    plain = [_rename_keys(each) for each in sent] if isinstance(sent, list) else sent
    return sdk_items.items_of(plain, limits, unreadable)


def _rename_keys(sent: Any) -> Any:
    return {_NAMES.get(key, key): value for key, value in sent.items()} if isinstance(sent, dict) else sent
