"""The queries of conf/athena answer their question: on a story whose answers are known, and on the demo's data.

Athena is not here: sqlglot translates its dialect for DuckDB, and checks tables and columns against the contract. Where the two
engines differ (a count_if of nothing, percentiles), the queries are written so that both agree.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

from streaming_app.config.shipped_files import conf_file
from streaming_app.demo.apps import APPS
from streaming_app.demo.generate import generate
from streaming_app.demo.geo import write_geo_database
from streaming_app.model.tables import TABLES
from tests.support.lake import LocalPipeline
from tests.support.shop_story import SETTINGS, SHOP, TODAY, at, derive, told

ROOT = Path(__file__).parents[2]
FILES = {path.stem: path for path in sorted(conf_file("athena").glob("*.sql"))}
NAMES = sorted(FILES)
SCHEMA = {table.name: {column.name: column.type for column in table.columns} for table in TABLES.values()}
# What must stand in WHERE for each read of a large table: without it, Athena reads, and bills, all of it.
PRUNED_BY = {
    "event": {"app_id", "event_date"},
    "item": {"app_id", "event_date"},
    "session": {"app_id", "start_date"},
}
SDK, GTM, SENSORS = APPS
APRIL_20, MAY_17, MAY_18, MAY_25, MAY_27 = (date(2026, *day) for day in ((4, 20), (5, 17), (5, 18), (5, 25), (5, 27)))
HOME, TENT, LAMP, STOVE = (SHOP + path for path in ("/", "/p/1", "/p/2", "/p/3"))


def tree(name: str) -> exp.Expression:
    return sqlglot.parse_one(FILES[name].read_text(), read="athena")


def answer(pipeline: LocalPipeline, name: str, today: Any = TODAY) -> list[tuple[Any, ...]]:
    """What a query says on some day."""

    def fixed(node: exp.Expression) -> exp.Expression:
        return exp.cast(exp.Literal.string(str(today)), "date") if isinstance(node, exp.CurrentDate) else node

    rows = pipeline.query(tree(name).transform(fixed).sql("duckdb")).to_pylist()
    return [tuple(row.values()) for row in rows]


def time(day: int, minute: int) -> datetime:
    return datetime.fromtimestamp(at(day, minute) / 1_000, UTC)


# What each query says of the story, worked out from its text (tests/support/shop_story.py), not from the tables.
ANSWERS: dict[str, list[tuple[Any, ...]]] = {
    "abandoned_carts": [(SDK, MAY_27, 2, 1, 50.0, 5.0)],
    "active_users": [
        (SDK, MAY_17, 1, 1, 2, 50.0),
        (SDK, MAY_18, 1, 2, 3, 33.3),  # dan is 28 days ago
        (SDK, MAY_25, 1, 1, 2, 50.0),  # eli is 8 days ago, dan 35
        (SDK, MAY_27, 2, 3, 4, 50.0),
        (SDK, TODAY, 1, 3, 4, 25.0),
        (GTM, TODAY, 1, 1, 1, 100.0),
        (SENSORS, TODAY, 2, 2, 2, 100.0),  # sue, before and after she signed up
    ],
    "bots": [
        (SDK, MAY_17, 1, 0, 0.0, 0, None),
        (SDK, MAY_18, 1, 0, 0.0, 0, None),
        (SDK, MAY_25, 1, 0, 0.0, 0, None),
        (SDK, MAY_27, 13, 0, 0.0, 0, None),
        (SDK, TODAY, 2, 1, 50.0, 1, "ua-parser, crawler-user-agents"),
        (GTM, TODAY, 5, 0, 0.0, 0, None),
        (SENSORS, TODAY, 5, 1, 20.0, 1, "crawler-user-agents"),
    ],
    "channel_paths": [
        (SDK, "Email", 1, 20.0),
        (GTM, "Direct", 1, 30.0),
        (SENSORS, "Paid Other > Email", 1, 7.5),
    ],
    "countries": [
        (SDK, "United States", 5, 3, 83.3, 48.0),
        (SDK, "United Kingdom", 1, 1, 16.7, 240.0),
        (GTM, "United Kingdom", 1, 1, 100.0, 240.0),
        (SENSORS, "Japan", 2, 2, 100.0, 90.0),
    ],
    "customer_journey": [
        (time(28, 0), SENSORS, "$pageview", HOME, None, "Mobile", "Tokyo"),
        (time(28, 1), SENSORS, "ViewProduct", HOME, None, "Mobile", "Tokyo"),
        (time(28, 2), SENSORS, "Search", HOME, None, "Mobile", "Tokyo"),
        (time(28, 3), SENSORS, "$SignUp", HOME, None, "Mobile", "Tokyo"),
        (time(28, 4), SENSORS, "SubmitOrder", None, 7.5, "Bot", "Tokyo"),
    ],
    "daily_balance": [(TODAY, 1, 34, 30, 1, 0, 3, 0, 2.9, 8.8)],  # 29 events, a change, a copy, three that are dirt
    "devices_and_browsers": [
        (SDK, "Desktop", "Windows", "Chrome", 11, 3, 64.7),
        (SDK, "Mobile", "iOS", "Mobile Safari", 6, 1, 35.3),
        (GTM, "Desktop", "Windows", "Chrome", 5, 1, 100.0),
        (SENSORS, "Mobile", "iOS", "Mobile Safari", 4, 2, 100.0),
    ],
    "events_by_name": [
        (SDK, "_page_view", 9, 5, time(28, 0)),
        (SDK, "add_to_cart", 2, 2, time(27, 4)),
        (SDK, "view_item", 2, 2, time(27, 2)),
        (SDK, "_profile_set", 1, 1, time(27, 4)),
        (SDK, "_search", 1, 1, time(27, 1)),
        (SDK, "_user_engagement", 1, 1, time(27, 4)),
        (SDK, "button_click", 1, 1, time(27, 3)),
        (SDK, "purchase", 1, 1, time(27, 3)),
        (GTM, "_page_view", 2, 1, time(28, 2)),
        (GTM, "purchase", 1, 1, time(28, 4)),
        (GTM, "view_item", 1, 1, time(28, 3)),
        (GTM, "view_search_results", 1, 1, time(28, 1)),
        (SENSORS, "$SignUp", 1, 1, time(28, 3)),
        (SENSORS, "$pageview", 1, 1, time(28, 0)),
        (SENSORS, "Search", 1, 1, time(28, 2)),
        (SENSORS, "SubmitOrder", 1, 1, time(28, 4)),
        (SENSORS, "ViewProduct", 1, 1, time(28, 1)),
    ],
    "exit_pages": [
        (SDK, HOME, 6, 4, 66.7),
        (SDK, TENT, 1, 1, 100.0),
        (SDK, LAMP, 1, 1, 100.0),
        (GTM, STOVE, 1, 1, 100.0),
        (SENSORS, HOME, 1, 1, 100.0),
    ],
    "experiment_clicks": [(SDK, "exp-1", "A", 1, 1)],
    "funnel": [(SDK, 4, 2, 1, 50.0, 25.0), (GTM, 1, 1, 1, 100.0, 100.0), (SENSORS, 1, 1, 1, 100.0, 100.0)],
    "landing_pages": [(SDK, HOME, 6, 4, 66.7, 1.3), (GTM, HOME, 1, 0, 0.0, 2.0), (SENSORS, HOME, 1, 1, 100.0, 1.0)],
    "lateness": [
        (SDK, MAY_17, 1, 0, 0.0, 2.0, 2.0),
        (SDK, MAY_18, 1, 0, 0.0, 2.0, 2.0),
        (SDK, MAY_25, 1, 0, 0.0, 2.0, 2.0),
        (SDK, MAY_27, 13, 1, 7.7, 2.0, 7_200.0),
        (SDK, TODAY, 2, 0, 0.0, 2.0, 2.0),
        (GTM, TODAY, 5, 0, 0.0, 2.0, 2.0),
        (SENSORS, TODAY, 5, 0, 0.0, 2.0, 2.0),
    ],
    "new_and_returning": [
        (SDK, MAY_17, "new", 1, 1, 1.0, 100.0),
        (SDK, MAY_18, "new", 1, 1, 1.0, 100.0),
        (SDK, MAY_25, "returning", 1, 1, 1.0, 100.0),
        (SDK, MAY_27, "new", 2, 2, 2.0, 0.0),
        (SDK, TODAY, "returning", 1, 1, 1.0, 100.0),
        (GTM, TODAY, "new", 1, 1, 2.0, 0.0),
        (SENSORS, TODAY, "new", 2, 2, 0.5, 100.0),
    ],
    "orders_by_campaign": [
        (SDK, "news", "email", "spring", 1, 1, 1, 20.0, 100.0),
        (SENSORS, "welcome", "email", "welcome", 1, 1, 1, 7.5, 100.0),
        (SENSORS, "ads", "cpc", "summer", 1, 1, 0, 0.0, 0.0),  # the earlier one of sue's two
    ],
    "page_transitions": [
        (SDK, HOME, "(exit)", 4, 66.7),
        (SDK, HOME, TENT, 1, 16.7),
        (SDK, HOME, LAMP, 1, 16.7),
        (SDK, TENT, "(exit)", 1, 100.0),
        (SDK, LAMP, "(exit)", 1, 100.0),
        (GTM, HOME, STOVE, 1, 100.0),
        (GTM, STOVE, "(exit)", 1, 100.0),
        (SENSORS, HOME, "(exit)", 1, 100.0),
    ],
    "quarantine_by_reason": [
        (TODAY, "malformed_line", "request", "(unknown)", 1, 1, ANY),
        (TODAY, "too_late", "rules", SDK, 1, 1, ANY),
        (TODAY, "unknown_app", "rules", "shop-staging", 1, 1, "app 'shop-staging' is not configured"),
    ],
    "referrers": [(SDK, "www.google.com", 1, 1)],
    "retention": [
        (SDK, APRIL_20, 1, 0.0, 0.0, 0.0, 0.0, 0.0),
        (SDK, MAY_17, 1, 0.0, 0.0, 0.0, None, None),
        (SDK, MAY_18, 1, 0.0, 0.0, 100.0, None, None),
        (SDK, MAY_27, 2, 50.0, None, None, None, None),
        (GTM, TODAY, 1, None, None, None, None, None),
        (SENSORS, TODAY, 2, None, None, None, None, None),
    ],
    "revenue_by_item": [(GTM, "sku-3", "Stove", "USD", 1, 2, 30.0), (SDK, "sku-1", "Tent", "USD", 1, 2, 20.0)],
    "sessions_by_channel": [
        (SDK, "Direct", 4, 3, 0.0, 1.0, 0.0, 0.0),
        (SDK, "Email", 1, 1, 100.0, 2.0, 15.0, 240.0),
        (SDK, "Organic Search", 1, 1, 100.0, 2.0, 0.0, 240.0),
        (GTM, "Direct", 1, 1, 100.0, 2.0, 0.0, 240.0),
        (SENSORS, "Email", 1, 1, 0.0, 0.0, 0.0, 60.0),
        (SENSORS, "Paid Other", 1, 1, 0.0, 1.0, 0.0, 120.0),
    ],
    "site_search": [(SDK, "tent", 1, 1), (GTM, "tent", 1, 1), (SENSORS, "tent", 1, 1)],
    "users_by_attribute": [
        (SDK, "(not set)", 5, 0, 3),
        (SDK, "gold", 1, 1, 1),
        (GTM, "(not set)", 1, 0, 1),
        (SENSORS, "(not set)", 2, 2, 2),
    ],
}
MEASURED = "cost_per_gb"
"""Its answer depends on the machine, see its own test."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    return told(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    """A small demo: the apps, names and values that the queries are written for."""
    folder = tmp_path_factory.mktemp("demo")
    generate(folder / "raw", 2_000, apps=tuple(APPS), until=datetime(2026, 5, 28, 12, tzinfo=UTC))
    write_geo_database(folder / "geo.mmdb")
    pipeline = LocalPipeline(folder, SETTINGS.format(folder=folder))
    pipeline.ingest(*(folder / "raw").rglob("*.gz"))
    derive(pipeline)
    return pipeline


def test_every_query_has_an_answer() -> None:
    assert {*ANSWERS, MEASURED} == set(NAMES)


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(name: str, story: LocalPipeline) -> None:
    assert answer(story, name) == ANSWERS[name]


def test_cost(story: LocalPipeline) -> None:
    [batch] = story.rows("run_metrics")
    hours, gigabytes = batch["pass_cpu_seconds"] / 3_600, batch["decoded_bytes"] / 1e9
    dollars = hours * (0.042094 + 4 * 0.004628)
    [(day, *found)] = answer(story, MEASURED)
    assert day == TODAY
    assert found == pytest.approx([30, gigabytes, hours, dollars, dollars / gigabytes, dollars / 30 * 1e6])


# Apps that a query has nothing to say about: they send no items, carts or buttons.
SILENT = {"abandoned_carts": {SENSORS}, "revenue_by_item": {SENSORS}, "experiment_clicks": {GTM, SENSORS}}
OF_NO_APP = {"cost_per_gb", "customer_journey", "daily_balance", "quarantine_by_reason"}


@pytest.mark.parametrize("name", NAMES)
def test_the_demo_has_something_to_show(name: str, demo: LocalPipeline) -> None:
    found = answer(demo, name)
    assert found
    if name not in OF_NO_APP:
        assert {row[0] for row in found} == set(APPS) - SILENT.get(name, set())


def test_the_dialect_is_athenas() -> None:
    """What DuckDB would let pass: names of the same SELECT in WHERE, tables and columns that are not there."""
    for wrong in ("SELECT 1 AS n FROM event WHERE n > 0", "SELECT nothing FROM event", "SELECT app_id FROM events"):
        with pytest.raises(sqlglot.errors.SqlglotError):
            qualified(sqlglot.parse_one(wrong, read="athena"))


def qualified(query: exp.Expression) -> exp.Expression:
    return qualify(query, schema=SCHEMA, dialect="athena", expand_alias_refs=False)


@pytest.mark.parametrize("name", NAMES)
def test_tables_columns_and_partitions(name: str) -> None:
    """Only what is there is selected, and every read of a large table says which apps and days it wants."""
    query = qualified(tree(name))
    named = {cte.alias for cte in query.find_all(exp.CTE)}
    reads = [table for table in query.find_all(exp.Table) if table.name not in named]
    [listed] = re.findall(r"^-- Tables: (.+)$", FILES[name].read_text(), flags=re.MULTILINE)
    assert sorted({table.name for table in reads}) == listed.split(", ")
    for read in reads:
        in_log = {*TABLES[read.name].partition_by, *TABLES[read.name].stats_columns}
        pruning = [columns for columns in conditions_on(read) if columns <= in_log]
        assert set().union(*pruning) >= PRUNED_BY.get(read.name, set()), f"{read.name} is read whole"


def conditions_on(read: exp.Table) -> list[set[str]]:
    """Of each condition that must hold for a table's rows, the columns it compares; other tables' are named with the table.

    Athena can tell by the log alone which files may have rows for a condition of nothing but columns of the partition, or with
    statistics.
    """
    where = read.find_ancestor(exp.Select).args.get("where")
    conditions = where.this.flatten() if where and isinstance(where.this, exp.And) else [where] if where else []
    return [
        {column.name if column.table == read.alias_or_name else column.sql() for column in condition.find_all(exp.Column)}
        for condition in conditions
    ]


@pytest.mark.parametrize("name", NAMES)
def test_header(name: str) -> None:
    """What is asked, of which tables, and what to adapt; then the query."""
    lines = FILES[name].read_text().splitlines()
    header = [line for line in lines if line.startswith("-- ")]
    assert lines[0] == header[0]
    assert re.fullmatch(r"-- [A-Z][\w -]+: [a-z].+[?.]", header[0])
    assert [line.partition(":")[0] for line in header if line.startswith(("-- Tables: ", "-- Adapt: "))] == [
        "-- Tables",
        "-- Adapt",
    ]
    assert max(map(len, lines)) <= 130


def test_the_documentation_lists_every_query() -> None:
    documented = re.findall(r"^\| \[.*\|$", (ROOT / "docs/how-to/queries.md").read_text(), flags=re.MULTILINE)
    assert documented == [documentation(name) for name in NAMES]


def documentation(name: str) -> str:
    """The line of docs/how-to/queries.md for a query."""
    title, _, question = FILES[name].read_text().splitlines()[0].removeprefix("-- ").partition(": ")
    return f"| [{name}](../../conf/athena/{name}.sql) | {title}: {question} |"
