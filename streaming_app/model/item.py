"""One item of an event: most of the contract of the ``item`` table."""

from __future__ import annotations

from typing import Annotated

import msgspec

from streaming_app.model.columns import double, json_text, text


class Item(msgspec.Struct, gc=False):
    """An item as the client sent it; ``item_id`` is required, amounts are in ``currency``."""

    item_id: Annotated[str | None, text("id of the item")] = None
    name: Annotated[str | None, text("name")] = None
    brand: Annotated[str | None, text("brand")] = None
    currency: Annotated[str | None, text("currency of price")] = None
    price: Annotated[float | None, double("price of one")] = None
    quantity: Annotated[float | None, double("quantity")] = None
    creative_name: Annotated[str | None, text("creative")] = None
    creative_slot: Annotated[str | None, text("creative slot")] = None
    location_id: Annotated[str | None, text("location")] = None
    category: Annotated[str | None, text("category")] = None
    category2: Annotated[str | None, text("second category")] = None
    category3: Annotated[str | None, text("third category")] = None
    category4: Annotated[str | None, text("fourth category")] = None
    category5: Annotated[str | None, text("fifth category")] = None
    custom_parameters_json_str: Annotated[str | None, json_text("every parameter without a column, JSON object")] = None
