"""The typed event: what every transformer yields, and, by its annotations, most of the contract of the ``event`` table.

Names and limits follow the reference system's ``event_v2`` so that queries written for it keep working.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from streaming_app.model.columns import bigint, boolean, double, duration_ms, integer, json_text, text, time_ms
from streaming_app.model.item import Item

LONG = 2_048
URL = 65_535


class Event(msgspec.Struct, gc=False):
    """One event in the client's own time; ``app_id``, ``event_id``, ``event_name`` and ``event_time_msec`` are required.

    Times are epoch milliseconds, sizes pixels. Fields without a column are transient: read by ingest and the enrichers, never
    written.
    """

    event_id: Annotated[str | None, text("id of the event, unique in its app")] = None
    event_time_msec: Annotated[int | None, time_ms("event time, epoch ms")] = None
    event_name: Annotated[str | None, text("name, presets start with _", stats=True)] = None
    event_value: Annotated[float | None, double("monetary value")] = None
    event_value_currency: Annotated[str | None, text("currency of event_value", 32)] = None
    event_bundle_sequence_id: Annotated[int | None, bigint("number of the upload on the client")] = None
    ingest_time_msec: Annotated[int | None, time_ms("server's receive time, epoch ms, whole seconds")] = None
    device_mobile_brand_name: Annotated[str | None, text("device brand")] = None
    device_mobile_model_name: Annotated[str | None, text("device model")] = None
    device_manufacturer: Annotated[str | None, text("device maker; on web the browser engine")] = None
    device_carrier: Annotated[str | None, text("mobile carrier")] = None
    device_network_type: Annotated[str | None, text("network type")] = None
    device_operating_system: Annotated[str | None, text("operating system")] = None
    device_operating_system_version: Annotated[str | None, text("operating system version")] = None
    device_vendor_id: Annotated[str | None, text("device id")] = None
    device_advertising_id: Annotated[str | None, text("advertising id")] = None
    device_system_language: Annotated[str | None, text("system language")] = None
    device_time_zone_offset_seconds: Annotated[int | None, integer("time zone, seconds east of UTC")] = None
    device_ua_browser: Annotated[str | None, text("browser by user agent")] = None
    device_ua_browser_version: Annotated[str | None, text("browser version by user agent")] = None
    device_ua_os: Annotated[str | None, text("operating system by user agent", LONG)] = None
    device_ua_os_version: Annotated[str | None, text("operating system version by user agent", LONG)] = None
    device_ua_device: Annotated[str | None, text("device by user agent")] = None
    device_ua_device_category: Annotated[str | None, text("Desktop, Mobile, Tablet, TV, Console, Bot or Other")] = None
    device_ua_device_brand: Annotated[str | None, text("device brand by user agent or client hints")] = None
    device_ua_device_model: Annotated[str | None, text("device model by user agent or client hints")] = None
    device_ua: Annotated[str | None, json_text("user agent: its text and all that was read from it")] = None
    device_screen_width: Annotated[int | None, integer("screen width, px")] = None
    device_screen_height: Annotated[int | None, integer("screen height, px")] = None
    device_viewport_width: Annotated[int | None, integer("viewport width, px")] = None
    device_viewport_height: Annotated[int | None, integer("viewport height, px")] = None
    geo_continent: Annotated[str | None, text("continent by IP")] = None
    geo_sub_continent: Annotated[str | None, text("sub-continent by IP")] = None
    geo_country: Annotated[str | None, text("country by IP")] = None
    geo_country_code: Annotated[str | None, text("country by IP, ISO 3166-1 alpha-2", 2)] = None
    geo_region: Annotated[str | None, text("region by IP")] = None
    geo_metro: Annotated[str | None, text("metro area by IP")] = None
    geo_city: Annotated[str | None, text("city by IP")] = None
    geo_latitude: Annotated[float | None, double("latitude by IP, degrees (where configured)")] = None
    geo_longitude: Annotated[float | None, double("longitude by IP, degrees (where configured)")] = None
    geo_asn: Annotated[int | None, bigint("autonomous system number by IP (where configured)")] = None
    geo_organization: Annotated[str | None, text("organisation of the autonomous system by IP (where configured)")] = None
    geo_locale: Annotated[str | None, text("locale of the client")] = None
    traffic_source_source: Annotated[str | None, text("traffic source")] = None
    traffic_source_medium: Annotated[str | None, text("traffic medium")] = None
    traffic_source_campaign: Annotated[str | None, text("campaign name")] = None
    traffic_source_content: Annotated[str | None, text("campaign content", LONG)] = None
    traffic_source_term: Annotated[str | None, text("campaign or search term", LONG)] = None
    traffic_source_campaign_id: Annotated[str | None, text("campaign id")] = None
    traffic_source_clid_platform: Annotated[str | None, text("platform of the click id")] = None
    traffic_source_clid: Annotated[str | None, text("click id, JSON text {type, value}", LONG)] = None
    traffic_source_channel_group: Annotated[str | None, text("channel group")] = None
    traffic_source_category: Annotated[str | None, text("category of the source")] = None
    user_first_touch_time_msec: Annotated[int | None, time_ms("user's first touch as the client knows it, epoch ms")] = None
    app_package_id: Annotated[str | None, text("app package")] = None
    app_version: Annotated[str | None, text("app version")] = None
    app_title: Annotated[str | None, text("app name")] = None
    app_install_source: Annotated[str | None, text("app store")] = None
    platform: Annotated[str | None, text("Web, Android, iOS, …")] = None
    project_id: Annotated[str | None, text("project_id of the configuration")] = None
    app_id: Annotated[str | None, text("app the event belongs to")] = None
    screen_view_screen_name: Annotated[str | None, text("screen name")] = None
    screen_view_screen_id: Annotated[str | None, text("screen class")] = None
    screen_view_screen_unique_id: Annotated[str | None, text("screen unique id")] = None
    screen_view_previous_screen_name: Annotated[str | None, text("previous screen name")] = None
    screen_view_previous_screen_id: Annotated[str | None, text("previous screen class")] = None
    screen_view_previous_screen_unique_id: Annotated[str | None, text("previous screen unique id")] = None
    screen_view_previous_time_msec: Annotated[int | None, time_ms("time of the previous screen view, epoch ms")] = None
    screen_view_engagement_time_msec: Annotated[int | None, duration_ms("engaged time on the previous screen, ms")] = None
    screen_view_entrances: Annotated[bool | None, boolean("first screen view of the session")] = None
    page_view_page_referrer: Annotated[str | None, text("referrer URL as received", URL)] = None
    page_view_page_referrer_title: Annotated[str | None, text("title of the referring page", LONG)] = None
    page_view_previous_time_msec: Annotated[int | None, time_ms("time of the previous page view, epoch ms")] = None
    page_view_engagement_time_msec: Annotated[int | None, duration_ms("engaged time on the previous page, ms")] = None
    page_view_page_title: Annotated[str | None, text("page title", LONG)] = None
    page_view_page_url: Annotated[str | None, text("page URL as received", URL)] = None
    page_view_page_url_path: Annotated[str | None, text("path of the page URL", URL)] = None
    page_view_page_url_query_parameters: Annotated[str | None, json_text("query parameters of the page URL")] = None
    page_view_hostname: Annotated[str | None, text("host name of the page", LONG)] = None
    page_view_latest_referrer: Annotated[str | None, text("latest referrer URL of the visit", URL)] = None
    page_view_latest_referrer_host: Annotated[str | None, text("host of the latest referrer", LONG)] = None
    page_view_entrances: Annotated[bool | None, boolean("first page view of the session")] = None
    app_start_is_first_time: Annotated[bool | None, boolean("first start of the app (_app_start)")] = None
    upgrade_previous_app_version: Annotated[str | None, text("app version before the update")] = None
    upgrade_previous_os_version: Annotated[str | None, text("system version before the update")] = None
    search_key: Annotated[str | None, text("search parameter", LONG)] = None
    search_term: Annotated[str | None, text("search term", LONG)] = None
    outbound_link_classes: Annotated[str | None, text("CSS classes of the clicked link", LONG)] = None
    outbound_link_domain: Annotated[str | None, text("domain of the clicked link", LONG)] = None
    outbound_link_id: Annotated[str | None, text("id of the clicked link", LONG)] = None
    outbound_link_url: Annotated[str | None, text("URL of the clicked link", URL)] = None
    outbound_link: Annotated[bool | None, boolean("the link leaves the site")] = None
    user_engagement_time_msec: Annotated[int | None, duration_ms("engaged time (_user_engagement), ms")] = None
    user_id: Annotated[str | None, text("login id")] = None
    user_pseudo_id: Annotated[str | None, text("pseudonymous id of the user's device or browser")] = None
    session_id: Annotated[str | None, text("session id as the client sent it")] = None
    session_start_time_msec: Annotated[int | None, time_ms("session start as the client sent it, epoch ms")] = None
    session_duration: Annotated[int | None, duration_ms("session age at the event, ms")] = None
    session_number: Annotated[int | None, bigint("ordinal of the session for this user")] = None
    scroll_engagement_time_msec: Annotated[int | None, duration_ms("engaged time (_scroll), ms")] = None
    sdk_error_code: Annotated[str | None, text("error code of the SDK")] = None
    sdk_error_message: Annotated[str | None, text("error message of the SDK", LONG)] = None
    sdk_version: Annotated[str | None, text("SDK version")] = None
    sdk_name: Annotated[str | None, text("SDK name")] = None
    app_exception_message: Annotated[str | None, text("message of an app exception", LONG)] = None
    app_exception_stack: Annotated[str | None, text("stack of an app exception", URL)] = None
    custom_parameters_json_str: Annotated[str | None, json_text("every parameter without a column, JSON object")] = None
    user_properties_json_str: Annotated[
        str | None, json_text("user attributes sent with the event, {name: {value, set_time_msec}}")
    ] = None
    is_bot: Annotated[bool | None, boolean("a bot sent it (user_agent enricher)")] = None
    bot_source: Annotated[str | None, text("which source says that it is a bot")] = None
    process_info: Annotated[str | None, json_text("lineage: request, file, line, corrections, what was shortened")] = None

    ua: str | None = None
    ip: str | None = None
    client_hints: str | None = None
    """The browser's own hints (Sec-CH-UA, navigator.userAgentData), JSON object."""
    items: list[Item] | None = None
    position: int | None = None
    """Position of its element in the payload, by which quarantine keeps the raw text; the whole payload is kept if unknown."""
    notes: dict[str, Any] | None = None
    """Notes of the transformer for ``process_info``, for example values that it could not read."""
    upload_time_msec: int | None = None
    """When the client sent it, by the client's clock (epoch ms), if the payload has this time for each element."""
    is_derived: bool | None = None
    """Whether it is derived from the element that its transformer yielded before it: if the rules refuse that one, this one is
refused too."""


REQUIRED = ("app_id", "event_id", "event_name", "event_time_msec")
"""Fields that every event must have."""
