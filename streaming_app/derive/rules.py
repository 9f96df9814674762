"""The merge rules of user and session, and the SQL that is generated from them.

Every event is turned into an aggregate of its session and of its user. Aggregates of one key are combined by rules that are
commutative and associative, so that any split, order or grouping of the events gives the same rows. The SQL runs in DuckDB over
Arrow tables, inside Spark's tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streaming_app.model.coerce import INT64
from streaming_app.model.tables import SESSION_TRAFFIC, TRAFFIC, USER_TRAFFIC
from streaming_app.model.times import DAY_MS, LATEST_MS


@dataclass(frozen=True, slots=True)
class FirstOrLast:
    """Rule for columns that are taken together from one event: that with the smallest ("first") or largest ("last") ``as_of``.

    ``columns`` maps a column of the table to its expression over an event; only events that satisfy ``where`` are considered;
    ``rank`` is an expression that sorts before the time.
    """

    as_of: str
    how: str
    columns: dict[str, str]
    where: str = "true"
    rank: str = ""


Steps = dict[str, str]
"""SQL queries by name, in order; each may select from those before it (common table expressions)."""

Fold = dict[str, tuple[str, str]]
"""Column to (min, max or sum; its expression over an event)."""


def _if_time(column: str) -> str:
    """The column if it is a valid time, else null: older versions stored whatever a client sent."""
    return f"CASE WHEN {column} BETWEEN 0 AND {LATEST_MS} THEN {column} END"


# With 15 digits (up to the year 9999 and beyond) the text sorts like the number. A tab sorts before all printable text.
EVENT_ORDER = "printf('%015d', event_time_msec) || chr(9) || event_id || chr(9) || event_name"


def _traffic(columns: tuple[str, ...]) -> dict[str, str]:
    return {column: f"traffic_source_{suffix}" for column, suffix in zip(columns, TRAFFIC, strict=True)}


_SOURCE = "coalesce(traffic_source_source, '') <> ''"

USER_FOLDS: Fold = {
    "last_msec": ("max", "event_time_msec"),
    "first_touch_time_msec": ("min", f"coalesce({_if_time('user_first_touch_time_msec')}, event_time_msec)"),
}
USER_FIRST_OR_LAST = (
    FirstOrLast("user_id_as_of", "last", {"user_id": "user_id"}, "coalesce(user_id, '') <> ''"),
    FirstOrLast(
        "first_referrer_as_of",
        "first",
        {"first_referrer": "page_view_page_referrer"},
        "coalesce(page_view_page_referrer, '') <> ''",
    ),
    FirstOrLast("first_traffic_as_of", "first", _traffic(tuple(c.name for c in USER_TRAFFIC)), _SOURCE),
    FirstOrLast(
        "first_app_install_source_as_of",
        "first",
        {"first_app_install_source": "app_install_source"},
        "coalesce(app_install_source, '') <> ''",
    ),
)

_VIEW = "event_name IN ('_page_view', '_screen_view', '$pageview', '$AppViewScreen', '$MPViewScreen')"
_PAGE = "coalesce(page_view_page_url, screen_view_screen_name)"

SESSION_FOLDS: Fold = {
    "first_msec": ("min", "event_time_msec"),
    "last_msec": ("max", "event_time_msec"),
    "session_start_time_msec": ("min", f"least(event_time_msec, {_if_time('session_start_time_msec')})"),
    "session_number": ("min", "session_number"),
    "event_count": ("sum", "1"),
    "page_view_count": ("sum", f"CASE WHEN {_VIEW} THEN 1 ELSE 0 END"),
    "engagement_time_msec": ("sum", f"least(greatest(coalesce(user_engagement_time_msec, 0), 0), {DAY_MS})"),
}
SESSION_FIRST_OR_LAST = (
    FirstOrLast("user_id_as_of", "last", {"user_id": "user_id"}, "coalesce(user_id, '') <> ''"),
    FirstOrLast("entry_as_of", "first", {"entry_page_url": _PAGE}, f"{_VIEW} AND {_PAGE} IS NOT NULL"),
    FirstOrLast("exit_as_of", "last", {"exit_page_url": _PAGE}, f"{_VIEW} AND {_PAGE} IS NOT NULL"),
    FirstOrLast(
        "traffic_as_of",
        "first",
        {
            **_traffic(tuple(c.name for c in SESSION_TRAFFIC)),
            "process_info": "process_info",
        },
        rank=f"CASE WHEN {_SOURCE} AND lower(traffic_source_source) <> 'direct' THEN '0' ELSE '1' END",
    ),
    FirstOrLast(
        "first_event_as_of",
        "first",
        {name: name for name in ("platform", "geo_country", "device_ua_device_category")},
    ),
)


def event_to_aggregate_sql(folds: Fold, picks: tuple[FirstOrLast, ...]) -> str:
    """SELECT list that turns one event into an aggregate."""
    parts = [f"{expression} AS {column}" for column, (_, expression) in folds.items()]
    for pick in picks:
        order = f"{pick.rank} || {EVENT_ORDER}" if pick.rank else EVENT_ORDER
        parts.append(f"CASE WHEN {pick.where} THEN {order} END AS {pick.as_of}")
        parts += [f"{expression} AS {column}" for column, expression in pick.columns.items()]
    return ", ".join(parts)


_SUM = (
    f"CAST(CASE WHEN sum({{0}}) > {INT64[-1]} THEN {INT64[-1]} WHEN sum({{0}}) < {INT64[0]} THEN {INT64[0]} "
    "ELSE sum({0}) END AS BIGINT)"
)
"""SQL aggregates of the columns. Sums saturate: DuckDB adds in 128 bits, the columns have 64."""
_FOLDED = {"min": "min({0})", "max": "max({0})", "sum": _SUM}


def combine_steps(source: str, keys: str, folds: Fold, picks: tuple[FirstOrLast, ...], extra: Mapping[str, str]) -> Steps:
    """Steps that combine the aggregates of each group of ``keys`` of the step ``source`` into one; the last one is ``combined``.

    ``extra`` are further columns: name to SQL aggregate.
    """
    grouped = [f"{_FOLDED[how].format(column)} AS {column}" for column, (how, _) in folds.items()]
    unpacked = []
    for number, pick in enumerate(picks):
        extreme, at_extreme = ("min", "arg_min") if pick.how == "first" else ("max", "arg_max")
        packed = ", ".join(f"{column} := {column}" for column in pick.columns)
        grouped.append(f"{extreme}({pick.as_of}) AS {pick.as_of}")
        grouped.append(f"{at_extreme}(struct_pack({packed}), {pick.as_of}) FILTER ({pick.as_of} IS NOT NULL) AS pick_{number}")
        unpacked.append(pick.as_of)
        unpacked += [f"pick_{number}.{column} AS {column}" for column in pick.columns]
    grouped += [f"{aggregate} AS {name}" for name, aggregate in extra.items()]
    return {
        "grouped": f"SELECT {keys}, {', '.join(grouped)} FROM {source} GROUP BY {keys}",
        "combined": f"SELECT {', '.join([keys, *folds, *unpacked, *extra])} FROM grouped",
    }


def to_sql(steps: Steps) -> str:
    """A query with the steps as common table expressions; its result is that of the last step."""
    named = ", ".join(f"{name} AS NOT MATERIALIZED ({sql})" for name, sql in steps.items())
    return f"WITH {named} SELECT * FROM {[*steps][-1]}"
