"""Every difference from the recorded values: wanted for good, or a matter of the contract. No other may be.

Keys are (file below ``sdk/expected`` without ``.json``, column); a key of ``process_info`` is the column ``process_info.<key>``.
F-numbers and sections are those of the fixtures' README.
"""

from __future__ import annotations

from typing import Any

_SWAPPED = "§1: the channel was recomputed with page host and referrer swapped (F23)"
_LATEST_ID = "§2: latest user_id instead of the lexicographic maximum (F27)"
_FIRST_OF_ANY = "§5 Decided: user first_*: each group from the earliest event that has it, whatever the event's name"
_SESSION_START = "§5 Decided: session start is the earliest event of the session"
_WHOLE_SESSION = "design: a session is all its events, so the earliest with a source may have any name"
_LONG_SOURCE = ("TSS-" + "_traffic_source_source" * 12)[:255]
_LONG_MEDIUM = ("TSM-" + "_traffic_source_medium" * 12)[:255]

DEVIATIONS: dict[tuple[str, str], tuple[Any, str]] = {
    ("transform_v3_event", "traffic_source_channel_group"): ("Unassigned", _SWAPPED),
    ("transform_v3_event_max_len2", "traffic_source_channel_group"): ("Unassigned", _SWAPPED),
    ("transform_v3_user", "first_traffic_channel_group"): ("Unassigned", _SWAPPED),
    ("transform_v3_user_first_open", "first_traffic_channel_group"): ("Unassigned", _SWAPPED),
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
}
"""Column to (the value we want instead of the recorded one, the README's reason)."""

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
    "event": _JOB | {"input_file_line"},  # the reference's parser and converter do not know the job yet
    "item": _JOB | _REQUEST | _CORRECTED,  # ours have the lineage of their event
    "user": _JOB | {"first_event_name", "latest_event_name"},  # not there before the reference's aggregation
    "session": frozenset({"input_file_line"}),
}
"""Keys of our ``process_info`` that a recorded row need not have, by table."""
