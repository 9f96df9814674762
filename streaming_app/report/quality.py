"""Queries about data quality: the balance of the micro-batches, quarantine, lateness, failures of enrichers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streaming_app.lake.query import Query
from streaming_app.report.period import Period
from streaming_app.report.terms import Rows, fetch_rows, sql_literal

_SUMS = ("files", "received", "written", "duplicate", "filtered", "quarantined")
_SUMMED = ", ".join(f"coalesce(CAST(sum({name}) AS BIGINT), 0) AS {name}" for name in _SUMS)
# An enricher's first error is that of the earliest batch which has one.
_ENRICHERS = """
SELECT
  use.key AS label,
  sum(use.value.cpu_seconds) AS cpu_seconds,
  CAST(coalesce(sum(use.value.failed), 0) AS BIGINT) AS failed,
  arg_min(use.value.error, created_time) AS error
FROM (
  SELECT
    created_time,
    unnest(map_entries(from_json(enrichers, '"MAP(VARCHAR, STRUCT(cpu_seconds DOUBLE, failed BIGINT, error VARCHAR))"'))) AS use
  FROM {batches}
)
GROUP BY 1
ORDER BY failed DESC, label
"""


def batches_sql(received: Period) -> str:
    """The micro-batches that read requests of some days, as SQL; one that has no requests, only dirt, counts by its own time."""
    earliest, latest = (f"CAST(coalesce({end}_ingest_time, created_time) AS DATE)" for end in ("first", "last"))
    return f"(SELECT * FROM run_metrics WHERE {latest} >= '{received.first}' AND {earliest} <= '{received.last}')"


def query_balance(query: Query, received: Period) -> dict[str, Any]:
    """Sums over all batches of :data:`_SUMS`, and ``batches``; of the latest when it began (``latest``, None without any), and
    seconds from event to table of half of its events and of 95 % (``p50``, ``p95``; None where not measured).
    """
    latest = ", ".join(f"arg_max(latency_{name}_seconds, created_time) AS {name}" for name in ("p50", "p95"))
    sql = f"SELECT {_SUMMED}, count(*) AS batches, max(created_time) AS latest, {latest} FROM {batches_sql(received)}"
    [found] = fetch_rows(query, sql)
    return found


def query_days(query: Query, received: Period, limit: int) -> Rows:
    """The same sums by day of the run, newest first."""
    sql = f"SELECT CAST(created_time AS DATE) AS day, count(*) AS batches, {_SUMMED} FROM {batches_sql(received)} GROUP BY 1"
    return fetch_rows(query, f"{sql} ORDER BY 1 DESC LIMIT {limit}")


def query_newest_batches(query: Query, received: Period, limit: int) -> Rows:
    """Single batches, newest first: times, counts, wall and CPU seconds."""
    columns = ", ".join(("created_time", "last_ingest_time", *_SUMS, "decoded_bytes", "pass_seconds", "commit_seconds"))
    return fetch_rows(
        query, f"SELECT {columns} FROM {batches_sql(received)} ORDER BY created_time DESC, batch_id DESC LIMIT {limit}"
    )


def query_quarantine(query: Query, received: Period, app: str | None) -> Rows:
    """``elements``, ``resolved`` ones (a replay brought them into the tables), ``files`` by reason (``label``), and the latest
    one's ``message``.
    """
    of_app = f"AND app_id = {sql_literal(app)}" if app else ""
    return fetch_rows(
        query,
        "SELECT reason AS label, count(*) AS elements, count(resolved_time) AS resolved, count(DISTINCT source_file) AS files, "
        "arg_max(message, created_time) AS message FROM quarantine "
        f"WHERE created_time IN (SELECT created_time FROM {batches_sql(received)}) {of_app} "
        "GROUP BY 1 ORDER BY elements DESC, label",
    )


def query_delays(query: Query, least_seconds: Sequence[int]) -> list[int]:
    """How many events the server received so long after they happened: at least each bound, less than the next, from 0.

    The receive time is cut to the second, so it may lie a little before the event: that is no delay.
    """
    delay = "greatest(ingest_time_msec - event_time_msec, 0)"
    bucket = " + ".join(f"CAST({delay} >= {seconds * 1000} AS INT)" for seconds in least_seconds)
    counts = {
        row["bucket"]: row["n"] for row in fetch_rows(query, f"SELECT {bucket} AS bucket, count(*) AS n FROM event GROUP BY 1")
    }
    return [counts.get(number, 0) for number, _ in enumerate(least_seconds, 1)]


def query_enrichers(query: Query, received: Period) -> Rows:
    """``cpu_seconds``, ``failed`` values and the first ``error`` of each (``label``), those that failed most first."""
    return fetch_rows(query, _ENRICHERS.format(batches=batches_sql(received)))
