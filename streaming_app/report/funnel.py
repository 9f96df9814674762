"""The funnel of each app: how many people reach each of its steps, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streaming_app.lake.query import Query
from streaming_app.report.terms import OF_PEOPLE, ORDERS, VIEWS, fetch_rows, sql_list, sql_literal


@dataclass(frozen=True, slots=True)
class FunnelStep:
    title: str
    events: tuple[str, ...]


STEPS = (
    FunnelStep("saw a page", VIEWS),
    FunnelStep("saw a product", ("view_item", "ViewProduct")),
    FunnelStep("filled the cart", ("add_to_cart", "AddToCart")),
    FunnelStep("began checkout", ("begin_checkout", "BeginCheckout")),
    FunnelStep("ordered", ORDERS),
)
"""Names are those of GA4, which the Clickstream SDK's shops use too, and of the usual tracking plan with Sensors Data."""


def query_funnels(query: Query, limit: int) -> dict[str, list[tuple[FunnelStep, int]]]:
    """Query the funnels of the apps with the most events: each step that the app measures, and how many people did it."""
    names = tuple(name for step in STEPS for name in step.events)
    counted = fetch_rows(
        query, f"SELECT app_id, event_name, count(*) AS n FROM event WHERE event_name IN {sql_list(names)} GROUP BY 1, 2"
    )
    sizes: dict[str, int] = {}
    for row in counted:
        sizes[row["app_id"]] = sizes.get(row["app_id"], 0) + row["n"]
    found = {}
    for app_id in sorted(sizes, key=lambda app: (-sizes[app], app))[:limit]:
        measured = {row["event_name"] for row in counted if row["app_id"] == app_id}
        steps = [step for step in STEPS if measured.intersection(step.events)]
        if len(steps) > 1:
            found[app_id] = list(zip(steps, _people(query, app_id, steps), strict=True))
    return found


def _people(query: Query, app_id: str, steps: Sequence[FunnelStep]) -> list[int]:
    """Count the people that did each step after the earliest time at which they had done the step before.

    A login is one person on all devices. Bots are left out at the first step only: a shop's server that reports orders looks
    like one.
    """
    number = " ".join(f"WHEN e.event_name IN {sql_list(step.events)} THEN {n}" for n, step in enumerate(steps))
    done = ["done_0 AS (SELECT person, min(at_msec) AS at_msec FROM did WHERE step = 0 AND of_people GROUP BY 1)"]
    done += [
        f"done_{n} AS (SELECT d.person, min(d.at_msec) AS at_msec FROM did d JOIN done_{n - 1} b "
        f"ON b.person = d.person AND d.at_msec >= b.at_msec WHERE d.step = {n} GROUP BY 1)"
        for n in range(1, len(steps))
    ]
    [counts] = fetch_rows(
        query,
        f"""
WITH did AS MATERIALIZED (
  SELECT
    hash(coalesce(u.user_id, e.user_pseudo_id)) AS person,
    e.event_time_msec AS at_msec,
    {OF_PEOPLE} AS of_people,
    CASE {number} END AS step
  FROM event e
  JOIN (SELECT app_id, user_pseudo_id, user_id FROM "user") u ON u.app_id = e.app_id AND u.user_pseudo_id = e.user_pseudo_id
  WHERE e.app_id = {sql_literal(app_id)} AND e.event_name IN {sql_list(tuple(name for step in steps for name in step.events))}
),
{", ".join(done)}
SELECT {", ".join(f"(SELECT count(*) FROM done_{n}) AS step_{n}" for n in range(len(steps)))}
""",
    )
    return list(counts.values())
