"""Where Segment's fields go: key of the object that was sent, and column of ``event`` or ``item``."""

from collections.abc import Mapping
from typing import Any

from streaming_app import api

CALL = {"messageId": "event_id", "anonymousId": "user_pseudo_id", "userId": "user_id", "event": "event_name"}
CONTEXT = {"ip": "ip", "userAgent": "ua", "locale": "device_system_language"}
PAGE = {"url": "page_view_page_url", "referrer": "page_view_page_referrer", "title": "page_view_page_title"}
CAMPAIGN = {
    "source": "traffic_source_source",
    "medium": "traffic_source_medium",
    "name": "traffic_source_campaign",
    "term": "traffic_source_term",
    "content": "traffic_source_content",
}
PRODUCT = {"product_id": "item_id", "name": "name", "brand": "brand", "category": "category"}


def texts(sent: Any, columns: Mapping[str, str]) -> dict[str, Any]:
    """Columns of text, null where the client sent nothing."""
    return {column: api.as_text(api.as_object(sent).get(key)) for key, column in columns.items()}


def item(product: Any) -> api.Item:
    """One product; numbers are read from text too."""
    price, quantity = (api.as_float(api.as_object(product).get(key)) for key in ("price", "quantity"))
    return api.Item(price=price, quantity=quantity, **texts(product, PRODUCT))
