"""Queries about traffic: the key figures of a period, and their course over time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from streaming_app.lake.query import Query
from streaming_app.report.period import Period
from streaming_app.report.terms import OF_PEOPLE, ORDERS, SESSION_OF_PEOPLE, USERS, VIEWS, Rows, fetch_rows, rank_sql, sql_list

_EVENTS = f"""
SELECT
  count(*) AS all_events,
  count(is_bot) AS judged_events,
  count(*) FILTER ({OF_PEOPLE}) AS events,
  count(*) FILTER ({OF_PEOPLE} AND event_name IN {sql_list(VIEWS)}) AS views,
  {USERS} FILTER ({OF_PEOPLE}) AS users
FROM event
"""
_SESSIONS = f"""
SELECT
  count(*) AS sessions,
  avg(CAST(is_bounce AS INT)) AS bounce_rate,
  median(engagement_time_msec) AS engaged_msec
FROM session
WHERE {SESSION_OF_PEOPLE}
"""
# What an order is worth: its own value, else a parameter that says so (of the demo's Sensors Data app), else its items.
_REVENUE = f"""
WITH orders AS (
  SELECT
    app_id, event_id, event_value_currency AS currency,
    coalesce(event_value, TRY_CAST(TRY(json_extract_string(custom_parameters_json_str, '$.total')) AS DOUBLE)) AS worth
  FROM event
  WHERE event_name IN {sql_list(ORDERS)}
),
bought AS (
  SELECT app_id, event_id, any_value(currency) AS currency, sum(price * coalesce(quantity, 1)) AS worth
  FROM item
  WHERE event_name IN {sql_list(ORDERS)}
  GROUP BY 1, 2
)
SELECT
  coalesce(o.currency, b.currency) AS currency,
  count(*) AS orders,
  coalesce(sum(coalesce(o.worth, b.worth)), 0) AS revenue
FROM orders o
LEFT JOIN bought b ON b.app_id = o.app_id AND b.event_id = o.event_id
GROUP BY 1
ORDER BY revenue DESC, currency
"""


def query_figures(query: Query) -> dict[str, Any]:
    """``all_events``, and ``judged_events`` of which it is known whether a bot sent them; of people ``events``, ``views``,
    ``users``, ``sessions``, ``bounce_rate`` (0 to 1, None without sessions), ``engaged_msec`` (median); of anyone ``orders``,
    and ``revenue`` by currency (None where no order names one), largest first.
    """
    [of_events], [of_sessions] = fetch_rows(query, _EVENTS), fetch_rows(query, _SESSIONS)
    sold = fetch_rows(query, _REVENUE)
    revenue = {each["currency"]: each["revenue"] for each in sold}
    return of_events | of_sessions | {"orders": sum(each["orders"] for each in sold), "revenue": revenue}


def query_course(query: Query, period: Period) -> Rows:
    """For each hour, day or month from the first to the last that has any: ``at``, ``users``, ``sessions`` (that began then),
    ``events``, ``views``.
    """
    began = f"date_trunc('{period.grain}', event_timestamp)"
    of_events = fetch_rows(
        query,
        f"SELECT {began} AS at, {USERS} AS users, count(*) AS events, count(*) FILTER (event_name IN {sql_list(VIEWS)}) AS views "
        f"FROM event WHERE {OF_PEOPLE} GROUP BY 1",
    )
    sessions_sql = f"SELECT {began} AS at, count(*) AS sessions FROM session WHERE {SESSION_OF_PEOPLE} GROUP BY 1"
    of_sessions = fetch_rows(query, sessions_sql)
    found: dict[datetime, dict[str, Any]] = {
        at: {"at": at, "users": 0, "sessions": 0, "events": 0, "views": 0} for at in period.steps()
    }
    for row in of_events + of_sessions:
        found[row["at"]] |= row
    busy = [at for at, row in found.items() if row["events"] or row["sessions"]]
    return [row for at, row in found.items() if busy and busy[0] <= at <= busy[-1]]


def query_events_by_name(query: Query, limit: int) -> Rows:
    """``label``, ``events`` and ``users`` of people's most frequent events."""
    sql = f"SELECT event_name AS label, count(*) AS events, {USERS} AS users FROM event WHERE {OF_PEOPLE} GROUP BY 1"
    return fetch_rows(query, rank_sql(sql, "events", limit))
