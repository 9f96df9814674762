"""Every difference from the recorded values: wanted for good, or a matter of the contract. No other may be.

Keys are (file below ``sdk/expected``, ``gtm/expected`` or ``sensors/expected`` without ``.json``, column); a key of ``process_info``
is the column ``process_info.<key>``.
F-numbers and sections are those of the fixtures' README.
"""

from __future__ import annotations

from typing import Any

_SWAPPED = "§1: the channel was recomputed with page host and referrer swapped (F23)"
_LATEST_ID = "§2: latest user_id instead of the lexicographic maximum (F27)"
_FIRST_OF_ANY = "§5 Decided: user first_*: each group from the earliest event that has it, whatever the event's name"
_SESSION_START = "§5 Decided: session start is the earliest event of the session"
_WHOLE_SESSION = "design: a session is all its events, so the earliest with a source may have any name"
_NO_VALUE = "§2: no value in the payload is none, not 0 (F33)"
_SENT_TIME = "§2: request_start_time_ms when present, else ingest time (F33)"
_NO_QUOTES = "§5 Decided: client-hint strings lose their quotes in every column"
_REAL_BRAND = "§5 Decided: a brand that is a placeholder or Chromium is passed over when another is there"
_AS_RECEIVED = "§5 Decided: URLs, referrers and titles are stored as received"
_CLIENT_TIME = "§2: the client's time (F32)"
_SECONDS_EAST = "§2: minutes with JavaScript's sign are seconds east of UTC (F32)"
_NO_LOGIN = "§2: an anonymous id is no login id (F32)"
_NO_DURATION = "§2: $event_duration is absent (F32)"
_NO_CURRENCY = "an amount without a currency is in none, not in USD, unless the app's default_currency says so"
_LONG_SOURCE = ("TSS-" + "_traffic_source_source" * 12)[:255]
_LONG_MEDIUM = ("TSM-" + "_traffic_source_medium" * 12)[:255]

DEVIATIONS: dict[tuple[str, str], tuple[Any, str]] = {
    ("transform_v3_event", "traffic_source_channel_group"): ("Unassigned", _SWAPPED),
    ("transform_v3_event_max_len2", "traffic_source_channel_group"): ("Unassigned", _SWAPPED),
    ("transform_v3_user", "first_traffic_channel_group"): ("Unassigned", _SWAPPED),
    ("transform_v3_user_first_open", "first_traffic_channel_group"): ("Unassigned", _SWAPPED),
    ("transform_v3_traffic_source_event", "event_value_currency"): (None, _NO_CURRENCY),
    ("transform_v3_traffic_source_session", "session_channel_group"): ("Unassigned", _SWAPPED),
    ("transform_v3_traffic_source_user", "user_id"): ("p3121211_ts1", _LATEST_ID),
    # Only its _profile_set event has a first touch time; it is corrected like all of that event's times.
    ("transform_v3_traffic_source_user", "first_touch_time_msec"): (1667878267895, _FIRST_OF_ANY),
    ("transform_v3_traffic_source_user", "first_visit_date"): ("2022-11-08", _FIRST_OF_ANY),
    # Its first event with a source is 2 ms older than its _first_open.
    ("transform_v3_user_first_open", "process_info.first_event_name"): ("Click3", _FIRST_OF_ANY),
    # Its only event is a _profile_set.
    ("transform_v3_user_max_len", "first_touch_time_msec"): (1667877267895, _FIRST_OF_ANY),
    ("transform_v3_user_max_len", "first_visit_date"): ("2022-11-08", _FIRST_OF_ANY),
    ("transform_v3_user_max_len", "first_traffic_source"): (_LONG_SOURCE, _FIRST_OF_ANY),
    ("transform_v3_user_max_len", "first_traffic_medium"): (_LONG_MEDIUM, _FIRST_OF_ANY),
    ("transform_v3_user_max_len", "first_traffic_channel_group"): ("Unassigned", _FIRST_OF_ANY),
    ("transform_v3_user_max_len", "first_traffic_category"): ("Unassigned", _FIRST_OF_ANY),
    ("transform_v3_user_max_len", "process_info.first_event_name"): ("_profile_set", _FIRST_OF_ANY),
    ("test_extract_session_from_event", "session_start_time_msec"): (1715889001418, _SESSION_START),
    ("test_extract_session_from_event", "process_info.event_name"): ("_first_open", _WHOLE_SESSION),
    ("test_convert_single_data_v2", "event_value"): (None, _NO_VALUE),
    ("test_convert_single_data_v2", "device_mobile_brand_name"): ("Microsoft Edge", _REAL_BRAND),
    ("test_convert_single_data_v2", "device_operating_system"): ("macOS", _NO_QUOTES),
    ("test_convert_array_data_v2", "event_value"): (None, _NO_VALUE),
    ("test_convert_array_data_v2", "event_timestamp"): ("2023-09-21 01:54:16", _SENT_TIME),
    ("test_convert_array_data_v2", "event_time_msec"): (1695261256542, _SENT_TIME),
    ("test_convert_items_data_v2", "event_value"): (None, _NO_VALUE),
    ("test_convert_items_data_v2", "event_timestamp"): ("2023-09-21 01:54:21", _SENT_TIME),
    ("test_convert_items_data_v2", "event_time_msec"): (1695261261382, _SENT_TIME),
    ("test_convert_items_data_v2", "device_mobile_brand_name"): ("Google Chrome", _REAL_BRAND),
    ("test_convert_items_data_v2", "page_view_page_url"): (
        "https://www.example.com/gadgets/apple-watch-case?DG=Accessories&D_Accessories=Apple+Watch+Case",
        _AS_RECEIVED,
    ),
    ("test_convert_user_data_v2", "event_value"): (None, _NO_VALUE),
    ("test_convert_user_data_v2", "event_time_msec"): (1693281865635, _SENT_TIME),
    ("test_convert_user_data_v2", "device_mobile_brand_name"): ("Microsoft Edge", _REAL_BRAND),
    ("test_convert_user_data_v2", "device_operating_system"): ("macOS", _NO_QUOTES),
    ("test_convert_user_data_user_props_v2", "event_value"): (None, _NO_VALUE),
    ("test_convert_user_data_user_props_v2", "event_time_msec"): (1693281865635, _SENT_TIME),
    ("test_convert_user_data_user_props_v2", "device_mobile_brand_name"): ("Microsoft Edge", _REAL_BRAND),
    ("test_convert_user_data_user_props_v2", "device_operating_system"): ("macOS", _NO_QUOTES),
    ("parser_test_gtm_parseLineToDBRow_item", "event_timestamp"): (1695261261382, _SENT_TIME),
    ("parser_test_gtm_parseLineToDBRow_user_login", "event_timestamp"): (1693281865635, _SENT_TIME),
    **{
        (f"test_sensors_data_parseLineToDBRow_{fixture}", column): wanted
        for fixture in ("event", "web_event")
        for column, wanted in {
            "event_timestamp": (1689819428756, _CLIENT_TIME),
            "event_time_msec": (1689819428756, _CLIENT_TIME),
            "device_time_zone_offset_seconds": (28800, _SECONDS_EAST),
            "user_id": (None, _NO_LOGIN),
            "user_engagement_time_msec": (None, _NO_DURATION),
        }.items()
    },
}
"""Column to (the value we want instead of the recorded one, the README's reason)."""

KEPT_AS_RECEIVED = ("client_hints", "x-ga-system_properties", "x-sst-system_properties")
"""Custom parameters that the reference fills up with fields which were not sent, and types again. §5 Decided: object parameters
are kept as received (no declared fields added)."""

REFERENCE_ONLY: dict[tuple[str, str], str] = {
    ("event", "custom_parameters"): "design: the duplicate map columns are not kept",
    ("item", "custom_parameters"): "design: the duplicate map columns are not kept",
    ("user", "user_properties"): "design: the duplicate map columns are not kept",
    ("event", "ua"): "internal: the reference removes it before it writes (device_ua has it)",
    ("event", "ip"): "internal: the reference removes it before it writes (process_info has it)",
    ("user", "event_name"): "internal: the reference removes it before it writes",
}
"""(table, recorded column) that our tables do not have, and why."""

_REQUEST = frozenset({"rid", "ingest_time", "upload_time", "source_ip", "input_file_name", "input_file_line"})
_JOB = frozenset({"process_job_id", "process_time"})
_CORRECTED = frozenset({f"event_timestamp_adjusted{suffix}" for suffix in ("", "_from", "_to", "_reason")})

EXTRA_PROCESS_INFO: dict[str, frozenset[str]] = {
    # The reference's parser and converter do not know the job yet; the address it notes for its own SDK only.
    "event": _JOB | {"input_file_line", "source_ip"},
    "item": _JOB | _REQUEST | _CORRECTED,  # ours have the lineage of their event
    "user": _JOB | {"first_event_name", "latest_event_name"},  # not there before the reference's aggregation
    "session": frozenset({"input_file_line"}),
}
"""Keys of our ``process_info`` that a recorded row need not have, by table."""
