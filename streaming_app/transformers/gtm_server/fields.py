"""Which key of a Google Tag Manager (server-side) event fills which column, in which type.

Source: the reference system's GTM payloads, and GA4's names of event and item parameters
(https://developers.google.com/analytics/devguides/collection/ga4/reference/events). A key in none of these tables is a custom
parameter.
"""

from __future__ import annotations

from streaming_app.transformers.field_mapper import KeyTable

CONSUMED: KeyTable = {
    "event_name": ("event_name", str),
    "user_id": ("user_id", str),
    "ga_session_id": ("session_id", str),
    "ga_session_number": ("session_number", int),
    "engagement_time_msec": ("user_engagement_time_msec", int),
    "page_location": ("page_view_page_url", str),
    "page_referrer": ("page_view_page_referrer", str),
    "page_title": ("page_view_page_title", str),
    "language": ("device_system_language", str),
    "currency": ("event_value_currency", str),
    "value": ("event_value", float),
}
"""Keys that become a column and no custom parameter."""

KEPT: KeyTable = {"client_id": ("user_pseudo_id", str), "user_agent": ("ua", str), "ip_override": ("ip", str)}
"""Keys that are custom parameters too, as all that is read from the objects below."""

HINTS, LOCATION, SYSTEM = "client_hints", "event_location", "x-ga-system_properties"
SERVER, USER_PROPERTIES = "x-sst-system_properties", "x-ga-mp2-user_properties"

ITEM: KeyTable = {
    "item_id": ("item_id", str),
    "item_name": ("name", str),
    "item_brand": ("brand", str),
    "currency": ("currency", str),
    "price": ("price", float),
    "quantity": ("quantity", float),
    "creative_name": ("creative_name", str),
    "creative_slot": ("creative_slot", str),
    "location_id": ("location_id", str),
    "item_category": ("category", str),
    **{f"item_category{number}": (f"category{number}", str) for number in range(2, 6)},
}
