"""Sessions: from events to states, from states to rows. Arrow in, Arrow out.

A session is the events of one client session id, or, where the client sends none, of one user without a longer pause. Its
state is an interval and aggregates; states whose intervals lie within the allowed pause of each other are one session,
whichever batch they came from.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.config.model import SessionsSection
from streaming_app.derive.rules import SESSION_FIRST_OR_LAST, SESSION_FOLDS, combine, event_to_aggregate_sql
from streaming_app.lake.duckdb import query
from streaming_app.model.arrow import as_epoch_ms, as_timestamp
from streaming_app.model.tables import SESSION
from streaming_app.model.times import LATEST_MS

KEYS = "app_id, user_pseudo_id, session_id, is_inferred"
BOUNCE_ENGAGEMENT_MS = 10_000
"""A visit with this much engaged time is no bounce (Google Analytics' definition of an engaged session)."""

EVENT_COLUMNS = (
    "event_id",
    "event_name",
    "event_time_msec",
    "user_pseudo_id",
    "session_id",
    "user_id",
    "session_start_time_msec",
    "session_number",
    "user_engagement_time_msec",
    "page_view_page_url",
    "screen_view_screen_name",
    "platform",
    "geo_country",
    "device_ua_device_category",
    "process_info",
    *(f"traffic_source_{suffix}" for suffix in ("source", "medium", "campaign", "content", "term")),
    *(f"traffic_source_{suffix}" for suffix in ("campaign_id", "clid_platform", "clid", "channel_group", "category")),
)
"""What is read of ``event``, besides its app_id."""

AGGREGATE_COLUMNS = (
    "app_id",
    "user_pseudo_id",
    "session_id",
    "is_inferred",
    *SESSION_FOLDS,
    *(name for pick in SESSION_FIRST_OR_LAST for name in (pick.as_of, *pick.columns)),
)

_STATE_TYPES = {"first_msec": pa.int64(), "last_msec": pa.int64(), "is_inferred": pa.bool_()}
AGGREGATE_SCHEMA = pa.schema([(name, _STATE_TYPES.get(name) or SESSION.schema.field(name).type) for name in AGGREGATE_COLUMNS])
STORED_SCHEMA = pa.schema([*AGGREGATE_SCHEMA, ("stored_id", pa.string()), ("stored_msec", pa.int64())])
"""A state and, if it is a row of ``session`` already, that row's session_id and first event (epoch ms)."""
MERGE_SCHEMA = (
    SESSION.schema.append(pa.field("match_id", pa.string()))
    .append(pa.field("match_start", pa.timestamp("us", tz="UTC")))
    .append(pa.field("is_gone", pa.bool_()))
)
"""Rows for the upsert: the target row that each replaces, if any, and whether that is only to be deleted."""


def aggregate_events(events: pa.Table, sessions: SessionsSection) -> pa.Table:
    """The states of some events: one per session id and day, and one per stretch without a pause where there is no id."""
    units = (
        "SELECT app_id, user_pseudo_id, nullif(session_id, '') AS session_id, coalesce(session_id, '') = '' AS is_inferred, "
        f"{event_to_aggregate_sql(SESSION_FOLDS, SESSION_FIRST_OR_LAST)} FROM events WHERE coalesce(user_pseudo_id, '') <> ''"
    )
    # A day is shorter than any allowed pause of a client's session, so this grouping never joins what is apart.
    by_day = f"SELECT *, first_msec // 86400000 AS island FROM ({units}) WHERE NOT is_inferred"
    by_pause = _islands(f"SELECT * FROM ({units}) WHERE is_inferred", sessions)
    named = f"{by_day} UNION ALL BY NAME {by_pause}"
    states = combine(named, f"{KEYS}, island", SESSION_FOLDS, SESSION_FIRST_OR_LAST)
    # Lineage says which event the traffic fields are from; its name is the last part of the order.
    chosen = "'{\"event_name\":' || to_json(split_part(traffic_as_of, chr(9), 3)) || ',' || substr(process_info, 2)"
    sql = f"SELECT * REPLACE ({chosen} AS process_info) FROM ({states})"
    return query(sql, events=events).select(AGGREGATE_COLUMNS).cast(AGGREGATE_SCHEMA)


def mark_as_new(states: pa.Table) -> pa.Table:
    """New states in the schema that stored ones share."""
    nothing = [pa.nulls(len(states), pa.string()), pa.nulls(len(states), pa.int64())]
    return pa.table([*states.columns, *nothing], schema=STORED_SCHEMA)


def aggregates_of_rows(rows: pa.Table) -> pa.Table:
    """Rows of ``session`` as the states that they are, marked as stored."""
    first = as_epoch_ms(rows["event_timestamp"])
    columns = {name: rows[name] for name in rows.column_names}
    columns |= {"first_msec": first, "last_msec": as_epoch_ms(rows["session_end"])}
    columns |= {"stored_id": rows["session_id"], "stored_msec": first}
    start = columns["session_start_time_msec"]
    is_time = pc.and_(pc.greater_equal(start, 0), pc.less_equal(start, LATEST_MS))
    columns["session_start_time_msec"] = pc.if_else(is_time, start, first)  # older versions stored whatever a client sent
    nothing = pa.scalar(None, pa.string())
    columns["session_id"] = pc.if_else(rows["is_inferred"], nothing, rows["session_id"])
    return pa.table([columns[name] for name in STORED_SCHEMA.names], schema=STORED_SCHEMA)


def rows_from_aggregates(states: pa.Table, sessions: SessionsSection, created_ms: int) -> pa.Table:
    """Rows for the upsert (:data:`MERGE_SCHEMA`) from states, new and stored (:data:`STORED_SCHEMA`).

    Sessions that no new state belongs to are left out.
    """
    stored = (
        ", list(struct_pack(id := stored_id, at := stored_msec) ORDER BY stored_msec) FILTER (stored_id IS NOT NULL) AS stored"
    )
    news = ", bool_or(stored_id IS NULL) AS has_news"
    islands = _islands("SELECT * FROM states", sessions)
    combined = combine(islands, f"{KEYS}, island", SESSION_FOLDS, SESSION_FIRST_OR_LAST, stored + news, ", stored, has_news")
    start = "strftime(make_timestamp(first_msec * 1000), '-%Y%m%d-%H%M%S%g')"
    name = f"CASE WHEN is_inferred THEN right(user_pseudo_id, 8) || {start} ELSE session_id END"
    changed = f"SELECT * REPLACE ({name} AS session_id) FROM ({combined}) WHERE has_news"
    upserts = f"SELECT *, stored[1].id AS match_id, stored[1].at AS match_msec, false AS is_gone FROM ({changed})"
    # Rows that were joined into another one: all columns but the key and the match are beside the point.
    gone = (
        f"SELECT * EXCLUDE (joined) REPLACE (joined.id AS match_id, joined.at AS match_msec, true AS is_gone) "
        f"FROM (SELECT *, unnest(stored[2:]) AS joined FROM ({upserts}))"
    )
    return _as_rows(query(f"{upserts} UNION ALL BY NAME {gone}", states=states), created_ms)


def _islands(states: str, sessions: SessionsSection) -> str:
    """The states, numbered so that those of one session share a number."""
    pause = f"CASE WHEN is_inferred THEN {int(sessions.timeout_minutes * 60_000)} ELSE {sessions.max_days * 86_400_000} END"
    same = f"PARTITION BY {KEYS} ORDER BY first_msec, last_msec ROWS BETWEEN UNBOUNDED PRECEDING AND"
    reached = f"SELECT *, max(last_msec) OVER ({same} 1 PRECEDING) AS reached FROM ({states})"
    starts = f"CASE WHEN first_msec - reached > {pause} THEN 1 ELSE 0 END"
    return f"SELECT * EXCLUDE (reached), sum({starts}) OVER ({same} CURRENT ROW) AS island FROM ({reached})"


def _as_rows(found: pa.Table, created_ms: int) -> pa.Table:
    columns = {name: found[name] for name in found.column_names}
    first, last = columns["first_msec"], columns["last_msec"]
    start = columns["session_start_time_msec"]
    columns["event_timestamp"], columns["session_end"] = as_timestamp(first), as_timestamp(last)
    columns["session_start"] = as_timestamp(start)
    columns["start_date"] = columns["event_timestamp"].cast(pa.timestamp("us")).cast(pa.date32())
    columns["duration_msec"] = pc.subtract(last, start)
    columns["is_bounce"] = pc.and_(
        pc.less_equal(columns["page_view_count"], 1), pc.less(columns["engagement_time_msec"], BOUNCE_ENGAGEMENT_MS)
    )
    columns["created_time"] = as_timestamp(pa.chunked_array([pa.repeat(pa.scalar(created_ms, pa.int64()), len(found))]))
    columns["match_start"] = as_timestamp(columns["match_msec"].cast(pa.int64()))
    return pa.table([columns[name] for name in MERGE_SCHEMA.names], names=MERGE_SCHEMA.names).cast(MERGE_SCHEMA)
