"""The sections about the pipeline: whether its data can be trusted, and what it costs."""

from __future__ import annotations

from typing import Any

from streaming_app.config.emr import EmrSection
from streaming_app.lake.query import Query
from streaming_app.report import quality
from streaming_app.report.blocks import BarRow, BarTable, Block, Card, Cards, ReportSection, TableColumn, ranking
from streaming_app.report.cost import Cost, compute_cost, dollars_per_vcpu_hour
from streaming_app.report.formats import (
    NOTHING,
    format_count,
    format_day,
    format_dollars,
    format_duration,
    format_plural,
    format_share,
    format_size,
    format_time,
    shorten,
)
from streaming_app.report.period import Period
from streaming_app.report.terms import UNKNOWN

_RUN_DAYS, _BATCHES = 14, 5
"""Rows of the tables of run days and batches."""
_DELAYS = {"less than 1 min": 0, "1 to 10 min": 60, "10 min to 1 h": 600, "1 h to 1 day": 3_600, "1 day and more": 86_400}
"""From how many seconds on."""
_OUTCOMES = ("written", "duplicate", "filtered", "quarantined")
_MEANING = (
    "Written are new events and changes; duplicates were there already; filtered are left out by the configuration; quarantined "
    "could not be used and are kept, with the reason."
)


def data_quality(query: Query, received: Period, app: str | None) -> ReportSection:
    found = quality.query_balance(query, received)
    blocks: list[Block] = [
        Cards([_balance(found), _latest(found), _latency(found)]),
        _outcomes(found),
        _delays(query),
        _quarantine(query, received, app),
        _days(query, received),
        _enrichers(query, received),
        _batches(query, received),
    ]
    of_all = (
        " Batches read the requests of all apps together, so all but lateness and quarantine is about all of them." if app else ""
    )
    intro = f"Everything received is accounted for: received = written + duplicate + filtered + quarantined.{of_all}"
    return ReportSection("quality", "Data quality", intro, blocks)


def _balance(found: dict[str, Any]) -> Card:
    missing = found["received"] - sum(found[fate] for fate in _OUTCOMES)
    if not found["batches"]:
        return Card("Balance", NOTHING, "no batch yet")
    if missing:
        return Card("Balance", f"{format_count(missing)} missing", "of what was received", "does not add up", "bad")
    return Card(
        "Balance",
        "adds up",
        f"{format_count(found['received'])} received in {format_plural(found['batches'], 'batch', 'batches')}",
    )


def _latest(found: dict[str, Any]) -> Card:
    latest = found["latest"]
    return Card("Latest batch", format_day(latest) if latest else NOTHING, f"began {latest:%H:%M} UTC" if latest else "")


def _latency(found: dict[str, Any]) -> Card:
    p50, p95 = (format_duration(None if found[name] is None else 1000 * found[name]) for name in ("p50", "p95"))
    return Card("From event to table", p95, f"95 % of the latest batch; half {p50}")


def _outcomes(found: dict[str, Any]) -> BarTable:
    rows = [{"label": fate, "n": found[fate]} for fate in _OUTCOMES] if found["received"] else []
    columns: list[TableColumn] = [
        ("Elements", lambda row: format_count(row["n"])),
        ("Of received", lambda row: format_share(row["n"], found["received"])),
    ]
    return ranking("What became of what was received", "Fate", rows, "n", columns, note=_MEANING)


def _delays(query: Query) -> BarTable:
    counts = quality.query_delays(query, list(_DELAYS.values()))
    total = sum(counts)
    rows = [{"label": label, "n": n} for label, n in zip(_DELAYS, counts, strict=True)] if total else []
    columns: list[TableColumn] = [
        ("Events", lambda row: format_count(row["n"])),
        ("Share", lambda row: format_share(row["n"], total)),
    ]
    return ranking("Late events", "From event to receipt", rows, "n", columns)


def _quarantine(query: Query, received: Period, app: str | None) -> BarTable:
    columns: list[TableColumn] = [
        ("Elements", lambda row: format_count(row["elements"])),
        ("Replayed", lambda row: format_count(row["resolved"])),
        ("Files", lambda row: format_count(row["files"])),
        ("Latest message", lambda row: shorten(row["message"] or "")),
    ]
    found = quality.query_quarantine(query, received, app)
    more = {"texts": frozenset({"Latest message"}), "wide": True, "nothing": "Nothing is in quarantine."}
    return ranking("Quarantine by reason", "Reason", found, "elements", columns, **more)


def _days(query: Query, received: Period) -> BarTable:
    columns: list[TableColumn] = [
        ("Batches", lambda row: format_count(row["batches"])),
        ("Received", lambda row: format_count(row["received"])),
        ("Quarantined", lambda row: format_share(row["quarantined"], row["received"])),
    ]
    rows = [{**row, "label": format_day(row["day"])} for row in quality.query_days(query, received, _RUN_DAYS)]
    return ranking("Batches over time", "Day of the run", rows, "received", columns)


def _batches(query: Query, received: Period) -> BarTable:
    names = ("Requests until", "Files", "Decoded", "Received", "Written", "Pass", "Commit")
    rows = [
        BarRow(
            format_time(row["created_time"]),
            0,
            [
                format_time(row["last_ingest_time"]) if row["last_ingest_time"] else UNKNOWN,
                format_count(row["files"]),
                format_size(row["decoded_bytes"]),
                format_count(row["received"]),
                format_count(row["written"]),
                format_duration(1000 * row["pass_seconds"]),
                format_duration(1000 * row["commit_seconds"]),
            ],
        )
        for row in quality.query_newest_batches(query, received, _BATCHES)
    ]
    return BarTable("Latest batches", "Began", names, rows, wide=True, many=True)


def _enrichers(query: Query, received: Period) -> BarTable:
    rows = [
        BarRow(
            shorten(row["label"]),
            0,
            [format_count(row["failed"]), f"{row['cpu_seconds']:,.2f}", shorten(row["error"] or "none")],
        )
        for row in quality.query_enrichers(query, received)
    ]
    names = ("Failed values", "CPU-seconds", "First error")
    return BarTable("Enrichers", "Enricher", names, rows, texts=frozenset({"First error"}), nothing="No enricher has run.")


def costs(query: Query, received: Period, emr: EmrSection) -> ReportSection:
    found = compute_cost(query, received, emr)
    gb, price = found.decoded_gb, emr.price
    runs, workers = (
        f"{format_dollars(all_ / gb if gb else None)} a decoded GB" for all_ in (found.run_dollars, found.worker_dollars)
    )
    cards = [
        Card("Whole runs", format_dollars(found.run_dollars), f"{runs}, {format_plural(found.runs, 'run', 'runs')}"),
        Card("Workers alone", format_dollars(found.worker_dollars), workers),
        Card("CPU", _per_gb(found), "measured"),
        Card("Decoded", format_size(found.decoded_bytes), format_plural(found.events, "event or change", "events and changes")),
    ]
    intro = (
        f"Dollars are estimates for EMR Serverless by the prices of the configuration: "
        f"{format_dollars(price.vcpu_hour)} a vCPU-hour, {format_dollars(price.gb_hour)} a GB-hour, "
        f"so {format_dollars(dollars_per_vcpu_hour(emr))} for an hour of a worker's processor with "
        "its memory. Whole runs have the driver and the start, most of what a small run costs; "
        "workers alone are the CPU-seconds that reading the raw files took where the job ran, as if workers never waited."
    )
    return ReportSection("cost", "Cost", intro, [Cards(cards)])


def _per_gb(found: Cost) -> str:
    return f"{found.cpu_seconds / found.decoded_gb:,.0f}s a GB" if found.decoded_bytes else NOTHING
