"""Which key of a Clickstream SDK event fills which column, in which type.

Source: the reference system's SDK payloads (its reserved keys) and payloads captured from SDK 0.12.6. A key in none of
these tables is a custom parameter.
"""

from __future__ import annotations

from streaming_app.transformers.field_mapper import KeyTable

REQUIRED = {"event_id": "event_id", "app_id": "app_id", "timestamp": "event_time_msec", "event_type": "event_name"}
"""Keys without which an element is no event, and their columns."""

TOP: KeyTable = {
    "event_id": ("event_id", str),
    "app_id": ("app_id", str),
    "timestamp": ("event_time_msec", int),
    "event_type": ("event_name", str),
    "unique_id": ("user_pseudo_id", str),
    "device_id": ("device_vendor_id", str),
    "device_unique_id": ("device_advertising_id", str),
    "platform": ("platform", str),
    "os_version": ("device_operating_system_version", str),
    "make": ("device_manufacturer", str),
    "brand": ("device_mobile_brand_name", str),
    "model": ("device_mobile_model_name", str),
    "carrier": ("device_carrier", str),
    "network_type": ("device_network_type", str),
    "locale": ("geo_locale", str),
    "system_language": ("device_system_language", str),
    "host_name": ("page_view_hostname", str),
    "app_version": ("app_version", str),
    "app_package_name": ("app_package_id", str),
    "app_title": ("app_title", str),
    "sdk_version": ("sdk_version", str),
    "sdk_name": ("sdk_name", str),
    "screen_height": ("device_screen_height", int),
    "screen_width": ("device_screen_width", int),
    "viewport_height": ("device_viewport_height", int),
    "viewport_width": ("device_viewport_width", int),
    "zone_offset": ("device_time_zone_offset_seconds", int),
    "event_value": ("event_value", float),
    "event_value_currency": ("event_value_currency", str),
}

IN_USD = "event_value_in_usd"
"""An amount whose key says what it is in."""

TOP_ALIASES: KeyTable = {
    "event_name": ("event_name", str),
    "user_pseudo_id": ("user_pseudo_id", str),
    "advertising_id": ("device_advertising_id", str),
    IN_USD: ("event_value", float),
    "currency": ("event_value_currency", str),
}
"""Read where the key of the same column is absent."""

ATTRIBUTES: KeyTable = {
    "_session_id": ("session_id", str),
    "_session_start_timestamp": ("session_start_time_msec", int),
    "_session_duration": ("session_duration", int),
    "_session_number": ("session_number", int),
    "_screen_name": ("screen_view_screen_name", str),
    "_screen_id": ("screen_view_screen_id", str),
    "_screen_unique_id": ("screen_view_screen_unique_id", str),
    "_previous_screen_name": ("screen_view_previous_screen_name", str),
    "_previous_screen_id": ("screen_view_previous_screen_id", str),
    "_previous_screen_unique_id": ("screen_view_previous_screen_unique_id", str),
    "_page_referrer": ("page_view_page_referrer", str),
    "_page_referrer_title": ("page_view_page_referrer_title", str),
    "_page_title": ("page_view_page_title", str),
    "_page_url": ("page_view_page_url", str),
    "_latest_referrer": ("page_view_latest_referrer", str),
    "_latest_referrer_host": ("page_view_latest_referrer_host", str),
    "_app_install_channel": ("app_install_source", str),
    "_previous_app_version": ("upgrade_previous_app_version", str),
    "_previous_os_version": ("upgrade_previous_os_version", str),
    "_exception_message": ("app_exception_message", str),
    "_exception_stack": ("app_exception_stack", str),
    "_error_code": ("sdk_error_code", str),
    "_error_message": ("sdk_error_message", str),
    "_search_key": ("search_key", str),
    "_search_term": ("search_term", str),
    "_link_classes": ("outbound_link_classes", str),
    "_link_domain": ("outbound_link_domain", str),
    "_link_id": ("outbound_link_id", str),
    "_link_url": ("outbound_link_url", str),
    "_outbound": ("outbound_link", bool),
    "_client_hints": ("client_hints", str),
    "_value": ("event_value", float),
    "_currency": ("event_value_currency", str),
    "_traffic_source_source": ("traffic_source_source", str),
    "_traffic_source_medium": ("traffic_source_medium", str),
    "_traffic_source_campaign": ("traffic_source_campaign", str),
    "_traffic_source_content": ("traffic_source_content", str),
    "_traffic_source_term": ("traffic_source_term", str),
    "_traffic_source_campaign_id": ("traffic_source_campaign_id", str),
    "_traffic_source_clid_platform": ("traffic_source_clid_platform", str),
    "_traffic_source_clid": ("traffic_source_clid", str),
    "_traffic_source_channel_group": ("traffic_source_channel_group", str),
    "_traffic_source_category": ("traffic_source_category", str),
}

ATTRIBUTE_FALLBACKS: KeyTable = {
    "_session_start_time_msec": ("session_start_time_msec", int),
    "_app_install_source": ("app_install_source", str),
    "_install_channel": ("app_install_source", str),
    "_utm_source": ("traffic_source_source", str),
    "_utm_medium": ("traffic_source_medium", str),
    "_utm_campaign": ("traffic_source_campaign", str),
    "_utm_content": ("traffic_source_content", str),
    "_utm_term": ("traffic_source_term", str),
    "_utm_id": ("traffic_source_campaign_id", str),
    "_utm_source_platform": ("traffic_source_clid_platform", str),
}

DEFERRED: dict[str, type] = {
    "_engagement_time_msec": int,
    "_previous_timestamp": int,
    "_is_first_time": bool,
    "_entrances": bool,
    "_gclid": str,
}
"""Attributes whose column depends on the event's name or on another attribute."""

BY_EVENT: dict[str, dict[str, str]] = {
    "_page_view": {
        "_engagement_time_msec": "page_view_engagement_time_msec",
        "_previous_timestamp": "page_view_previous_time_msec",
    },
    "_screen_view": {
        "_engagement_time_msec": "screen_view_engagement_time_msec",
        "_previous_timestamp": "screen_view_previous_time_msec",
    },
    "_user_engagement": {"_engagement_time_msec": "user_engagement_time_msec"},
    "_scroll": {"_engagement_time_msec": "scroll_engagement_time_msec"},
    "_app_start": {"_is_first_time": "app_start_is_first_time"},
}

SYSTEM_PLATFORMS = frozenset({"android", "ios", "wechatmp"})
"""Platforms that are operating systems too (compared in lower case)."""
