"""What the report means by a view, an order, a person: SQL over ``event`` and ``session``, the same as in docs/queries.md."""

from __future__ import annotations

from typing import Any

from streaming_app.lake.query import Ask
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


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def among(names: tuple[str, ...]) -> str:
    """A list of texts as SQL, for IN."""
    return f"({', '.join(map(literal, names))})"


def rows(ask: Ask, sql: str) -> Rows:
    """What a question finds; few rows, as SQL has aggregated them."""
    return to_rows(ask(sql))


def ranked(sql: str, measure: str, limit: int) -> str:
    """The largest of some groups (columns ``label``, …), with the ``total`` of all groups and how many ``groups`` there are."""
    return (
        f"SELECT *, CAST(sum({measure}) OVER () AS BIGINT) AS total, count(*) OVER () AS groups FROM ({sql}) "
        f"ORDER BY {measure} DESC, label LIMIT {limit}"
    )
