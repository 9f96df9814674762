"""Computes sessions: from events to aggregates, from aggregates to rows. Arrow in, Arrow out.

A session has the events of one client session id or, if the client sends none, the events of one user without a longer pause. An
aggregate has a time interval; aggregates whose intervals are within the allowed pause of each other are one session, whichever
batch they came from.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.config.model import SessionsSection
from streaming_app.derive.rules import SESSION_FIRST_OR_LAST, SESSION_FOLDS, Steps, combine_steps, event_to_aggregate_sql, to_sql
from streaming_app.lake.duckdb import query
from streaming_app.model.arrow import as_date, as_epoch_ms, as_timestamp
from streaming_app.model.merge_state import MERGE_STATE, flat_types, pack_merge_state, unpack_merge_state
from streaming_app.model.tables import SESSION
from streaming_app.model.times import LATEST_MS

KEYS = "app_id, user_pseudo_id, session_id, is_inferred"
BOUNCE_ENGAGEMENT_MS = 10_000
"""Engaged time from which a session is not a bounce (Google Analytics' definition of an engaged session)."""

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
"""Columns of ``event`` that are read, in addition to app_id."""

AGGREGATE_COLUMNS = (
    "app_id",
    "user_pseudo_id",
    "session_id",
    "is_inferred",
    *SESSION_FOLDS,
    *(name for pick in SESSION_FIRST_OR_LAST for name in (pick.as_of, *pick.columns)),
)

_TYPES = {"first_msec": pa.int64(), "last_msec": pa.int64(), **flat_types(SESSION)}
AGGREGATE_SCHEMA = pa.schema([(name, _TYPES[name]) for name in AGGREGATE_COLUMNS])
STORED_SCHEMA = pa.schema([*AGGREGATE_SCHEMA, ("stored_id", pa.string()), ("stored_msec", pa.int64())])
"""An aggregate and, if it was made from a stored row of ``session``, that row's session_id and first event (epoch ms)."""
MERGE_SCHEMA = (
    SESSION.schema.append(pa.field("match_id", pa.string()))
    .append(pa.field("match_start", pa.timestamp("us", tz="UTC")))
    .append(pa.field("is_gone", pa.bool_()))
)
"""Rows for the upsert, each with the stored row that it replaces, if any, and whether that row is only deleted."""


def aggregate_events(events: pa.Table, sessions: SessionsSection) -> pa.Table:
    """Aggregate events: one aggregate per session id and day, and one per interval without a pause for events without an id."""
    # The lineage names the event of the traffic fields; the event's name is the last part of the sort key.
    lineage = "'{\"event_name\":' || to_json(split_part(traffic_as_of, chr(9), 3)) || ',' || substr(process_info, 2)"
    steps = {
        "by_event": f"""
            SELECT app_id, user_pseudo_id, nullif(session_id, '') AS session_id,
                coalesce(session_id, '') = '' AS is_inferred,
                {event_to_aggregate_sql(SESSION_FOLDS, SESSION_FIRST_OR_LAST)}
            FROM events WHERE coalesce(user_pseudo_id, '') <> ''""",
        # A day is shorter than any allowed pause of a client's session, so this grouping never joins separate sessions.
        "with_id": "SELECT *, first_msec // 86400000 AS island FROM by_event WHERE NOT is_inferred",
        "inferred": "SELECT * FROM by_event WHERE is_inferred",
        **_island_steps("inferred", sessions),
        "with_island": "SELECT * FROM with_id UNION ALL BY NAME SELECT * FROM islands",
        **combine_steps("with_island", f"{KEYS}, island", SESSION_FOLDS, SESSION_FIRST_OR_LAST, {}),
        "with_lineage": f"SELECT * REPLACE ({lineage} AS process_info) FROM combined",
    }
    return query(to_sql(steps), events=events).select(AGGREGATE_COLUMNS).cast(AGGREGATE_SCHEMA)


def mark_as_new(aggregates: pa.Table) -> pa.Table:
    """Add the columns of stored aggregates (:data:`STORED_SCHEMA`) to new ones, as null."""
    nothing = [pa.nulls(len(aggregates), pa.string()), pa.nulls(len(aggregates), pa.int64())]
    return pa.table([*aggregates.columns, *nothing], schema=STORED_SCHEMA)


def aggregates_of_rows(rows: pa.Table) -> pa.Table:
    """Rows of ``session`` as aggregates, marked as stored."""
    first = as_epoch_ms(rows["event_timestamp"])
    columns = {name: rows[name] for name in rows.column_names} | unpack_merge_state(SESSION, rows)
    columns |= {"first_msec": first, "last_msec": as_epoch_ms(rows["session_end"])}
    columns |= {"stored_id": rows["session_id"], "stored_msec": first}
    start = columns["session_start_time_msec"]
    is_time = pc.and_(pc.greater_equal(start, 0), pc.less_equal(start, LATEST_MS))
    columns["session_start_time_msec"] = pc.if_else(is_time, start, first)  # older versions stored any value that a client sent
    nothing = pa.scalar(None, pa.string())
    columns["session_id"] = pc.if_else(rows["is_inferred"], nothing, rows["session_id"])
    return pa.table([columns[name] for name in STORED_SCHEMA.names], schema=STORED_SCHEMA)


def rows_from_aggregates(aggregates: pa.Table, sessions: SessionsSection, created_ms: int) -> pa.Table:
    """Rows for the upsert (:data:`MERGE_SCHEMA`) from aggregates, new and stored (:data:`STORED_SCHEMA`).

    Sessions without a new aggregate are left out.
    """
    extra = {
        "stored": "list(struct_pack(id := stored_id, at := stored_msec) ORDER BY stored_msec) FILTER (stored_id IS NOT NULL)",
        "is_updated": "bool_or(stored_id IS NULL)",
    }
    start = "strftime(make_timestamp(first_msec * 1000), '-%Y%m%d-%H%M%S%g')"
    name = f"CASE WHEN is_inferred THEN right(user_pseudo_id, 8) || {start} ELSE session_id END"
    steps = {
        # 1. Number the aggregates by session.
        **_island_steps("aggregates", sessions),
        # 2. Combine the aggregates of each session.
        **combine_steps("islands", f"{KEYS}, island", SESSION_FOLDS, SESSION_FIRST_OR_LAST, extra),
        # 3. Let each session with a new aggregate replace its first stored row.
        "updated": f"SELECT * REPLACE ({name} AS session_id) FROM combined WHERE is_updated",
        "upserts": "SELECT *, stored[1].id AS match_id, stored[1].at AS match_msec, false AS is_gone FROM updated",
        # 4. Delete its other stored rows, which were joined to it: only the columns of the key and the match are used.
        "joined_rows": "SELECT *, unnest(stored[2:]) AS joined FROM upserts",
        "gone": """
            SELECT * EXCLUDE (joined) REPLACE (joined.id AS match_id, joined.at AS match_msec, true AS is_gone)
            FROM joined_rows""",
        "changes": "SELECT * FROM upserts UNION ALL BY NAME SELECT * FROM gone",
    }
    return _as_rows(query(to_sql(steps), aggregates=aggregates), created_ms)


def _island_steps(source: str, sessions: SessionsSection) -> Steps:
    """Steps that number the aggregates of the step ``source``, so that those of one session share an ``island``."""
    pause = f"CASE WHEN is_inferred THEN {int(sessions.timeout_minutes * 60_000)} ELSE {sessions.max_days * 86_400_000} END"
    window = f"PARTITION BY {KEYS} ORDER BY first_msec, last_msec ROWS BETWEEN UNBOUNDED PRECEDING AND"
    starts = f"CASE WHEN first_msec - reached > {pause} THEN 1 ELSE 0 END"
    return {
        "reached_before": f"SELECT *, max(last_msec) OVER ({window} 1 PRECEDING) AS reached FROM {source}",
        "islands": f"SELECT * EXCLUDE (reached), sum({starts}) OVER ({window} CURRENT ROW) AS island FROM reached_before",
    }


def _as_rows(found: pa.Table, created_ms: int) -> pa.Table:
    columns = {name: found[name] for name in found.column_names}
    first, last = columns["first_msec"], columns["last_msec"]
    start = columns["session_start_time_msec"]
    columns["event_timestamp"], columns["session_end"] = as_timestamp(first), as_timestamp(last)
    columns["session_start"] = as_timestamp(start)
    columns["start_date"] = as_date(columns["event_timestamp"])
    columns["duration_msec"] = pc.subtract(last, start)
    columns["is_bounce"] = pc.and_(
        pc.less_equal(columns["page_view_count"], 1), pc.less(columns["engagement_time_msec"], BOUNCE_ENGAGEMENT_MS)
    )
    columns["created_time"] = as_timestamp(pa.chunked_array([pa.repeat(pa.scalar(created_ms, pa.int64()), len(found))]))
    columns[MERGE_STATE] = pack_merge_state(SESSION, columns)
    columns["match_start"] = as_timestamp(columns["match_msec"].cast(pa.int64()))
    return pa.table([columns[name] for name in MERGE_SCHEMA.names], names=MERGE_SCHEMA.names).cast(MERGE_SCHEMA)
