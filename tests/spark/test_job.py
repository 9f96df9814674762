"""The job end to end on real Spark and real Delta: first run, second run, later runs, and second readers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from chispa import assert_df_equality
from deltalake import DeltaTable
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from streaming_app.demo.geo import write_geo_database
from streaming_app.errors import ConfigError, PluginError, SourceError
from streaming_app.lake.query import query
from streaming_app.testing import process
from tests.spark.job import Job
from tests.support.examples import costly
from tests.support.raw import NOW, event, line, write
from tests.support.requests import requests, splits
from tests.support.sources import APPS

MINUTE = 60_000
ENRICHERS = """enrichers:
  - ip: {{database: {}, trusted_proxies: 1}}
  - user_agent: {{bots: drop}}
  - traffic_source: {{}}
"""
TABLES = ("event", "item", "user", "session", "quarantine", "run_metrics")


def test_consecutive_runs_give_the_expected_tables(spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path)
    login = {"_user_id": {"value": "me"}}
    write(tmp_path / "raw", "a.gz", line(event("a"), event("b", timestamp=NOW - 5 * MINUTE)), b"broken")
    first = job.run()
    assert (first.counts.written, first.counts.quarantined, first.batches) == (2, 1, 1)
    assert [row["event_count"] for row in job.rows("session")] == [2]
    second = job.run()
    assert (second.batches, sum(asdict(second.counts).values())) == (0, 0)

    earlier = event(
        "c", timestamp=NOW - 20 * MINUTE, user=login, attributes={"_session_id": "s-1", "_traffic_source_source": "x"}
    )
    write(tmp_path / "raw", "b.gz", line(event("a"), earlier, rid="r-2"))
    third = job.run()
    assert (third.counts.written, third.counts.duplicate) == (1, 1)
    [session] = job.rows("session")
    assert (session["event_count"], session["session_source"], session["user_id"]) == (3, "x", "me")
    assert session["session_start_time_msec"] == NOW - 20 * MINUTE
    [user] = job.rows("user")
    assert (user["user_id"], user["first_traffic_source"]) == ("me", "x")
    assert len(job.rows("event")) == 3


def test_a_session_that_starts_on_another_day_moves(spark: SparkSession, tmp_path: Path) -> None:
    midnight = 1_779_926_400_000
    job = Job(tmp_path)
    write(
        tmp_path / "raw",
        "a.gz",
        line(event("a", timestamp=midnight + MINUTE), ingest_time=midnight + 2 * MINUTE, client_timestamp=None),
    )
    job.run()
    write(
        tmp_path / "raw",
        "b.gz",
        line(event("b", timestamp=midnight - MINUTE), ingest_time=midnight + 2 * MINUTE, client_timestamp=None),
    )
    job.run()
    [session] = job.rows("session")
    assert (session["event_count"], session["start_date"].day) == (2, 27)


def test_a_later_run_joins_inferred_sessions(spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path)
    moments = {"a": 0, "b": 50, "late": 25}
    sent = {
        name: line(event(name, timestamp=NOW - minutes * MINUTE, attributes={}), rid=name) for name, minutes in moments.items()
    }
    write(tmp_path / "raw", "a.gz", sent["a"], sent["b"])
    job.run()
    assert [row["event_count"] for row in job.rows("session")] == [1, 1]
    write(tmp_path / "raw", "b.gz", sent["late"])
    job.run()
    [session] = job.rows("session")
    assert (session["event_count"], session["is_inferred"], session["duration_msec"]) == (3, True, 50 * MINUTE)


def test_bounded_batches_give_the_same_tables(spark: SparkSession, tmp_path: Path) -> None:
    for number in range(5):
        write(
            tmp_path / "raw",
            f"{number}.gz",
            line(event(f"e-{number}", timestamp=NOW - number * MINUTE), event("again"), rid=f"{number}"),
        )
    bounded = Job(tmp_path)
    bounded.config = bounded.config.model_copy(
        update={"source": bounded.config.source.model_copy(update={"max_files_per_batch": 2})}
    )
    summary = bounded.run()
    assert summary.batches == 3
    assert (summary.counts.written, summary.counts.duplicate) == (6, 4)
    assert [row["event_count"] for row in bounded.rows("session")] == [6]


def test_a_batch_that_replaces_a_duplicate_also_adds_its_new_events(spark: SparkSession, tmp_path: Path) -> None:
    wrong = NOW + 40 * 24 * 60 * MINUTE
    copies = [line(event("moved", timestamp=wrong), ingest_time=NOW - late, client_timestamp=wrong) for late in (0, 1_000)]
    job = Job(tmp_path)
    write(tmp_path / "raw", "a.gz", copies[0])
    job.run()
    write(tmp_path / "raw", "b.gz", copies[1], line(event("news", unique_id="u-2")))
    summary = job.run()
    assert (summary.counts.written, summary.counts.duplicate) == (1, 1)
    assert [row["event_time_msec"] for row in job.rows("event", "event_id = 'moved'")] == [NOW - 1_000]
    sessions = {row["user_pseudo_id"]: (row["event_count"], row["session_start_time_msec"]) for row in job.rows("session")}
    assert sessions == {"u-1": (1, NOW - 1_000), "u-2": (1, NOW - 1_000)}
    assert not list((tmp_path / "lake/_checkpoints/stale_users").iterdir())


def test_an_empty_source_makes_empty_tables(spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path)
    assert job.run().batches == 0
    assert {table: job.rows(table) for table in TABLES} == {table: [] for table in TABLES}


def test_a_missing_source_is_a_clear_error(spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path)
    (tmp_path / "raw").rmdir()
    with pytest.raises(SourceError, match="there is no such folder"):
        job.run()


def test_a_new_checkpoint_over_the_same_files_adds_nothing(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "raw", "a.gz", line(event("a", items=[{"id": "i"}]), event("b")))
    Job(tmp_path).run()
    before = Job(tmp_path).four_tables()
    again = Job(tmp_path, f"checkpoint: {{uri: {tmp_path}/other}}\n")
    summary = again.run()
    assert (summary.counts.written, summary.counts.duplicate) == (0, 2)
    after = again.four_tables()
    assert [after["event"], after["item"], after["user"]] == [before["event"], before["item"], before["user"]]


def assert_same_rows(found: pa.Table, rows: list[dict[str, Any]]) -> None:
    assert sorted(found.to_pylist(), key=str) == sorted(rows, key=str)


def test_second_readers_agree_with_spark(spark: SparkSession, tmp_path: Path) -> None:
    job = Job(tmp_path)
    for number in range(3):
        purchase = event(f"p-{number}", event_type="purchase", attributes={"_value": 2.5}, items=[{"id": "i", "price": 1.25}])
        write(
            tmp_path / "raw",
            f"{number}.gz",
            b"broken",
            line(event(f"e-{number}", unique_id=f"u-{number}"), purchase, rid=f"{number}"),
        )
        job.run()
    by_process = process(job.config, sorted((tmp_path / "raw").rglob("*.gz")))
    for table, rows in job.derived_tables().items():
        assert_same_rows(by_process[table].select(list(rows[0]) if rows else []), rows)
    for table in TABLES:
        by_spark = job.frame(table, spark)
        by_duckdb = spark.createDataFrame(query(job.lake, f'SELECT * FROM "{table}"'), by_spark.schema)
        assert_df_equality(by_spark, by_duckdb, ignore_row_order=True, allow_nan_equality=True)
        delta = DeltaTable(f"{tmp_path}/lake/{table}")
        assert by_spark.count() == delta.count() > 0
        assert (delta.protocol().min_reader_version, delta.protocol().reader_features) == (1, None)
        assert delta.protocol().min_writer_version == 2


@settings(costly(20), phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_any_split_gives_the_same_tables(
    data: st.DataObject, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With all three sources mixed and all enrichers, bots left out: which copy stays, and what is made of it, hangs on the copies alone."""
    lines = data.draw(requests(mixed=True))
    geo = tmp_path_factory.mktemp("geo") / "geo.mmdb"
    write_geo_database(geo)
    whole, parts = (Job(tmp_path_factory.mktemp(name), APPS + ENRICHERS.format(geo)) for name in ("whole", "parts"))
    write(whole.folder / "raw", "all.gz", *lines)
    whole.run()
    for number, files in enumerate(data.draw(splits(lines))):
        for at, each in enumerate(files):
            write(parts.folder / "raw", f"{number}-{at}.gz", *each)
        summary = parts.run()
        counts = summary.counts
        assert counts.received == counts.written + counts.duplicate + counts.filtered + counts.quarantined
    assert parts.derived_tables() == whole.derived_tables()


def big_orders(events: DataFrame) -> DataFrame:
    """A hook: what a user joins in Spark."""
    rates = events.sparkSession.createDataFrame([("shop", 2.0)], "app_id string, rate double")
    joined = events.where("event_value > 1").join(rates, "app_id")
    return joined.selectExpr("app_id", "event_id", "event_value * rate AS value", "year", "event_timestamp")


def failing(_: DataFrame) -> DataFrame:
    raise RuntimeError("no such rate")


def test_a_hook_is_given_the_new_events_of_each_batch_once(spark: SparkSession, tmp_path: Path) -> None:
    hook = f"derive: {{hooks: [{{function: '{__name__}:%s', table: big_orders}}]}}\n"
    job = Job(tmp_path, hook % "big_orders")
    orders = [event(f"{value}", attributes={"_value": value}) for value in (1, 2, 3)]
    write(tmp_path / "raw", "a.gz", line(*orders[:2]))
    job.run()
    write(tmp_path / "raw", "b.gz", line(orders[2], rid="r-2"))
    with pytest.raises(PluginError, match=r"derive hook .*:failing: RuntimeError: no such rate"):
        Job(tmp_path, hook % "failing").run()
    job.run()
    job.run()
    rows = spark.read.format("delta").load(f"{tmp_path}/lake/big_orders").select("app_id", "event_id", "value", "year")
    wanted = spark.createDataFrame([("shop", "2", 4.0, 2026), ("shop", "3", 6.0, 2026)], rows.schema)
    assert_df_equality(rows, wanted, ignore_row_order=True)
    assert [row["event_count"] for row in job.rows("session")] == [3]
    with pytest.raises(ConfigError, match=r"derive.hooks.0.function: cannot import tests.spark.test_job:nothing"):
        Job(tmp_path, hook % "nothing")


def test_nothing_on_this_machine_reaches_the_session_without_its_secret(spark: SparkSession) -> None:
    """Another user could send the ports of an open one objects to unpack."""
    security = spark._jvm.org.apache.spark.SparkEnv.get().securityManager()
    assert security.isAuthenticationEnabled()
    assert len(security.getSecretKey()) >= 32
