"""What the report means by a view, an order, a person: SQL over ``event`` and ``session``, as in docs/how-to/queries.md."""

from __future__ import annotations

from typing import Any

from streaming_app.lake.query import Query
from streaming_app.model.arrow import to_rows

Rows = list[dict[str, Any]]

VIEWS = ("_page_view", "_screen_view", "$pageview", "$AppViewScreen", "$MPViewScreen")
"""Names of page and screen views, as the ``session`` table counts them."""
ORDERS = ("purchase", "SubmitOrder")
"""Names of orders: those of GA4 and the Clickstream SDK, and of Sensors Data's demo."""

# A person of the report is no bot. A server that reports orders looks like one, so orders count whoever sent them.
OF_PEOPLE = "NOT coalesce(is_bot, false)"
SESSION_OF_PEOPLE = "coalesce(device_ua_device_category, '') <> 'Bot'"
# 64 bits in place of two texts: among 10 million users two are taken for one with a probability of 3 in a million.
USERS = "count(DISTINCT CASE WHEN user_pseudo_id IS NOT NULL THEN hash(app_id, user_pseudo_id) END)"
UNKNOWN = "(unknown)"


def sql_literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def sql_list(names: tuple[str, ...]) -> str:
    """Texts as an SQL list, for IN."""
    return f"({', '.join(map(sql_literal, names))})"


def fetch_rows(query: Query, sql: str) -> Rows:
    """Run a query; returns few rows, as SQL has aggregated them."""
    return to_rows(query(sql))


def rank_sql(sql: str, measure: str, limit: int) -> str:
    """SQL for the largest of some groups (columns ``label``, …), with the ``total`` of all and the number of ``groups``."""
    return (
        f"SELECT *, CAST(sum({measure}) OVER () AS BIGINT) AS total, count(*) OVER () AS groups FROM ({sql}) "
        f"ORDER BY {measure} DESC, label LIMIT {limit}"
    )
