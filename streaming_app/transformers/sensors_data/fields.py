"""Which key of a Sensors Data message fills which column, in which type.

Source: the reference system's Sensors Data payloads, and payloads captured from the JavaScript SDK 1.27 and the Python SDK 1.11.
A key in none of these tables is a custom parameter.
"""

from __future__ import annotations

from typing import get_args

from streaming_app.model.change import ChangeType
from streaming_app.transformers.field_mapper import KeyTable

CHANGES: frozenset[str] = frozenset(get_args(ChangeType))
"""Types of messages that are no events; all others with an ``event`` are."""
SIGN_UP, BIND, UNBIND = "track_signup", "track_id_bind", "track_id_unbind"
"""Types of events that tell whose an anonymous id is, or is not any more."""

CONSUMED = frozenset({"event", "time", "distinct_id", "anonymous_id", "identities", "lib", "properties", "items"})
"""Keys of a message with a meaning of their own; the others are custom parameters."""
IDENTITIES: dict[str, None] = {"$identity_android_id": None, "$identity_login_id": None}
"""Custom parameters of every event that has ``identities``."""

SERVER_SDKS = frozenset(
    {"java", "python", "php", "node", "golang", "ruby", "csharp", "dotnet", "lua", "logagent", "formatimporter"}
)
"""``$lib`` (in any case) of what sends from a server: the request's user agent and address are that server's, no user's.
Source: Sensors Data's server SDKs and import tools."""

LIB: KeyTable = {
    "$lib": ("sdk_name", str),
    "$lib_version": ("sdk_version", str),
    "$app_version": ("app_version", str),
}

PROPERTIES: KeyTable = {
    "$url": ("page_view_page_url", str),
    "$title": ("page_view_page_title", str),
    "$referrer": ("page_view_page_referrer", str),
    "$referrer_title": ("page_view_page_referrer_title", str),
    "$os": ("device_operating_system", str),
    "$os_version": ("device_operating_system_version", str),
    "$manufacturer": ("device_manufacturer", str),
    "$model": ("device_mobile_model_name", str),
    "$brand": ("device_mobile_brand_name", str),
    "$carrier": ("device_carrier", str),
    "$network_type": ("device_network_type", str),
    "$device_id": ("device_vendor_id", str),
    "$browser_language": ("device_system_language", str),
    "$screen_width": ("device_screen_width", int),
    "$screen_height": ("device_screen_height", int),
    "$timezone_offset": ("device_time_zone_offset_seconds", int),  # sent as minutes west
    "$app_name": ("app_title", str),
    "$city": ("geo_city", str),
    "$ip": ("ip", str),  # servers tell the client's so; as an address it is no parameter
    "$event_duration": ("user_engagement_time_msec", float),  # sent as seconds
    "$is_first_time": ("app_start_is_first_time", bool),
}

KEPT: KeyTable = {
    **LIB,
    "$province": ("geo_region", str),
    "$country": ("geo_country", str),
    "$viewport_width": ("device_viewport_width", int),
    "$viewport_height": ("device_viewport_height", int),
    "$latest_referrer": ("page_view_latest_referrer", str),
    "$latest_referrer_host": ("page_view_latest_referrer_host", str),
}
"""Properties that fill a column and stay custom parameters, as they are in the reference system, which has no column for them."""

CAMPAIGN = ("source", "medium", "campaign", "content", "term")
"""What ``$utm_…`` tells of the page's campaign, and ``$latest_utm_…`` of the latest one before it. Custom parameters too."""
