"""Queries about visitors: sources, devices, sessions. Rows have a ``label``; rates are 0 to 1, times ms."""

from __future__ import annotations

from collections.abc import Sequence

from streaming_app.lake.query import Query
from streaming_app.report.terms import (
    OF_PEOPLE,
    SESSION_OF_PEOPLE,
    UNKNOWN,
    USERS,
    VIEWS,
    Rows,
    fetch_rows,
    rank_sql,
    sql_list,
    sql_literal,
)

_MEASURES = (
    f"count(*) AS sessions, {USERS} AS users, avg(CAST(is_bounce AS INT)) AS bounce_rate, "
    "avg(page_view_count) AS views, avg(engagement_time_msec) AS engaged_msec"
)
CHANNEL = "session_channel_group"
SOURCE = f"session_source || ' / ' || coalesce(session_medium, {sql_literal('(none)')})"
COUNTRY = "geo_country"
LANDING_PAGE = "regexp_replace(split_part(entry_page_url, '?', 1), '^https?://', '')"

# Some clients say on every page which site led to the visit (latest referrer), others only which page came before.
_REFERRERS = f"""
WITH seen AS (
  SELECT
    app_id,
    user_pseudo_id,
    coalesce(session_id, CAST(event_date AS VARCHAR)) AS visit,
    page_view_hostname AS own_host,
    coalesce(
      nullif(page_view_latest_referrer_host, ''),
      lower(regexp_extract(page_view_page_referrer, '^https?://([^/?#]+)', 1))
    ) AS host
  FROM event
  WHERE event_name IN {sql_list(VIEWS)} AND {OF_PEOPLE}
)
SELECT host AS label, count(DISTINCT hash(app_id, user_pseudo_id, visit)) AS visits, {USERS} AS users
FROM seen
WHERE host <> '' AND host <> coalesce(own_host, '')
GROUP BY 1
"""
_FIRST_CHANNELS = f"""
SELECT coalesce(first_traffic_channel_group, '{UNKNOWN}') AS label, count(*) AS users
FROM "user" u
SEMI JOIN (SELECT app_id, user_pseudo_id FROM session WHERE {SESSION_OF_PEOPLE}) s
  ON s.app_id = u.app_id AND s.user_pseudo_id = u.user_pseudo_id
GROUP BY 1
"""
_NEW_AND_RETURNING = f"""
SELECT CASE WHEN u.first_visit_date = s.start_date THEN 'new' ELSE 'returning' END AS label, {_MEASURES}
FROM (SELECT * FROM session WHERE {SESSION_OF_PEOPLE}) s
JOIN (SELECT app_id, user_pseudo_id, first_visit_date FROM "user") u USING (app_id, user_pseudo_id)
GROUP BY 1
ORDER BY 1
"""


def query_sessions_by(query: Query, what: str, limit: int, *, only_known: bool = False) -> Rows:
    """``sessions``, ``users``, ``bounce_rate``, ``views`` and ``engaged_msec`` (means) by an expression over ``session``."""
    known = f"AND {what} IS NOT NULL" if only_known else ""
    sql = f"SELECT coalesce({what}, '{UNKNOWN}') AS label, {_MEASURES} FROM session WHERE {SESSION_OF_PEOPLE} {known} GROUP BY 1"
    return fetch_rows(query, rank_sql(sql, "sessions", limit))


def query_first_channels(query: Query, limit: int) -> Rows:
    """``users`` who had a session, by the channel that brought them first, whenever that was."""
    return fetch_rows(query, rank_sql(_FIRST_CHANNELS, "users", limit))


def query_referrers(query: Query, limit: int) -> Rows:
    """Other sites, with ``visits`` and ``users``."""
    return fetch_rows(query, rank_sql(_REFERRERS, "visits", limit))


def query_devices(query: Query, limit: int) -> dict[str, Rows]:
    """``users`` by device category, operating system and browser; who used two counts with both."""
    kinds = {"category": "device_ua_device_category", "os": "device_ua_os", "browser": "device_ua_browser"}
    used = f"SELECT DISTINCT app_id, user_pseudo_id, {', '.join(kinds.values())} FROM event WHERE {OF_PEOPLE}"
    found = {}
    for name, column in kinds.items():
        sql = f"SELECT coalesce({column}, '{UNKNOWN}') AS label, {USERS} AS users FROM ({used}) GROUP BY 1"
        found[name] = fetch_rows(query, rank_sql(sql, "users", limit))
    return found


def query_histogram(query: Query, measure: str, least: Sequence[float]) -> list[int]:
    """How many sessions have a measure of at least each bound and less than the next; bounds ascend from 0."""
    bucket = " + ".join(f"CAST({measure} >= {bound} AS INT)" for bound in least)
    sql = f"SELECT {bucket} AS bucket, count(*) AS sessions FROM session WHERE {SESSION_OF_PEOPLE} GROUP BY 1"
    counts = {row["bucket"]: row["sessions"] for row in fetch_rows(query, sql)}
    return [counts.get(number, 0) for number, _ in enumerate(least, 1)]


def query_new_and_returning(query: Query) -> Rows:
    """Sessions on the day of a user's first visit, and all others."""
    return fetch_rows(query, _NEW_AND_RETURNING)
