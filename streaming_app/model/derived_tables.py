"""The tables that are computed from ``event`` and ``change``: users and sessions."""

from __future__ import annotations

from streaming_app.model.columns import Column, bigint, boolean, date, json_text, struct, text, timestamp
from streaming_app.model.event import LONG, URL
from streaming_app.model.table_contract import Table, of_event, with_names

TRAFFIC = ("source", "medium", "campaign", "content", "term", "campaign_id", "clid_platform", "clid", "channel_group", "category")
"""Suffixes of the ten ``traffic_source_*`` columns of ``event``."""

_LONG_TRAFFIC = {"content", "term", "clid"}


def _traffic(prefix: str, renamed: dict[str, str], meaning: str) -> tuple[Column, ...]:
    return tuple(
        Column(
            "string",
            f"{suffix} of {meaning}",
            LONG if suffix in _LONG_TRAFFIC else 255,
            name=prefix + renamed.get(suffix, suffix),
        )
        for suffix in TRAFFIC
    )


USER_TRAFFIC = _traffic("first_traffic_", {}, "the earliest event with a source")
SESSION_TRAFFIC = _traffic(
    "session_", {"category": "source_category"}, "the earliest event with a source that is not Direct, else of the earliest"
)
MERGED_BYTES = 4 << 20
"""Maximum bytes of a user's attributes that are kept for later merges: more than the merge rules ever produce."""
_MERGE_STATE = (
    "what the job needs to merge further events into the row, no use to others. *_as_of: which event supplied the columns of "
    "that name: event time (15 digits, epoch ms), event_id and event name; decides which of two events wins. "
)

USER = Table(
    "user",
    "One row per user_pseudo_id of an app.",
    with_names(event_timestamp=timestamp("latest event of the user, UTC", stats=True))
    + of_event("app_id", "user_pseudo_id", "user_id")
    + with_names(
        user_properties_json_str=json_text(
            "user attributes, {name: {value, set_time_msec}}: the newest of each that events told, after all changes"
        ),
        first_touch_time_msec=bigint("smallest first touch that an event tells, or its own time where it tells none, epoch ms"),
        first_visit_date=date("day of first_touch_time_msec, UTC"),
        first_referrer=text("page referrer of the earliest event that has one", URL),
    )
    + USER_TRAFFIC
    + with_names(
        first_app_install_source=text("install source of the earliest event that has one"),
        process_info=json_text("lineage: names of the events that supplied first_traffic_* and user_properties, job"),
        created_time=timestamp("when the row was last written, UTC"),
        merge_state=struct(
            _MERGE_STATE + "event_properties_json_str: what events told of user_properties_json_str, where there are changes "
            "besides or that had to be shortened; changed_properties_json_str: what changes made of user attributes, {name: "
            "{value or null, set_time_msec}}; changed_as_of: how many changes (15 digits), when the latest was, "
            "and whether the text has all attributes",
            *with_names(
                user_id_as_of=text("user_id", LONG),
                user_properties_as_of=text("user_properties_json_str", LONG),
                event_properties_json_str=json_text("what events told", MERGED_BYTES),
                changed_properties_json_str=json_text("what changes told"),
                changed_as_of=text("the state of changed_properties_json_str: the larger of two is the later one"),
                first_referrer_as_of=text("first_referrer", LONG),
                first_traffic_as_of=text("first_traffic_*", LONG),
                first_app_install_source_as_of=text("first_app_install_source", LONG),
            ),
        ),
    ),
    partition_by=("app_id",),
    key=("app_id", "user_pseudo_id"),
    bucket_by="user_pseudo_id",
)

SESSION = Table(
    "session",
    "One row per session: all its events.",
    with_names(event_timestamp=timestamp("first event of the session, UTC", stats=True))
    + of_event("app_id", "user_pseudo_id")
    + with_names(
        session_id=text("the client's session id; of an inferred session its start in the same format"),
        is_inferred=boolean("the client sent no session id: delimited by inactivity"),
        user_id=text("latest login id in the session"),
        session_number=bigint("ordinal of the session as the client counts it"),
        session_start_time_msec=bigint("earliest event, or the client's own start where earlier, epoch ms"),
        session_start=timestamp("session_start_time_msec as a timestamp, UTC"),
        session_end=timestamp("latest event, UTC", stats=True),
        duration_msec=bigint("from session_start to session_end, ms"),
        event_count=bigint("events"),
        page_view_count=bigint("page and screen views"),
        engagement_time_msec=bigint("engaged time, ms: sum over _user_engagement"),
        entry_page_url=text("URL, or screen name, of the first page or screen view", URL),
        exit_page_url=text("URL, or screen name, of the last page or screen view", URL),
        is_bounce=boolean("at most one page or screen view and less than 10 s engaged"),
    )
    + SESSION_TRAFFIC
    + of_event("process_info")
    + of_event("platform", "geo_country", "device_ua_device_category")
    + with_names(
        created_time=timestamp("when the row was last written, UTC"),
        start_date=date("day of the first event, UTC"),
        merge_state=struct(
            _MERGE_STATE + "traffic_as_of (session_* traffic fields, process_info) begins with 0, or 1 for no source or Direct; "
            "first_event_as_of is of platform, geo_country and device_ua_device_category",
            *with_names(
                user_id_as_of=text("user_id", LONG),
                entry_as_of=text("entry_page_url", LONG),
                exit_as_of=text("exit_page_url", LONG),
                traffic_as_of=text("session_* traffic fields and process_info", LONG),
                first_event_as_of=text("platform, geo_country, device_ua_device_category", LONG),
            ),
        ),
    ),
    partition_by=("app_id", "start_date"),
    key=("app_id", "user_pseudo_id", "session_id", "start_date"),
    bucket_by="user_pseudo_id",
)
