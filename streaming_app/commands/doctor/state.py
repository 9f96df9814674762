"""The state of the tables, of the backlog and of the last runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from streaming_app.backlog.derive_log import derive_is_behind
from streaming_app.backlog.source_partitions import due_partitions
from streaming_app.backlog.unprocessed import Backlog, find_backlog
from streaming_app.commands.doctor.finding import Finding, Pipeline
from streaming_app.commands.interrupted import find_interrupted
from streaming_app.enrichers.ip import CDN_ADDRESSES
from streaming_app.environment import holder_of
from streaming_app.errors import SinkError
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import live_files
from streaming_app.lake.layout import LAYOUT_VERSION, layout_of
from streaming_app.lake.maintenance import table_exists
from streaming_app.lake.query import query_session
from streaming_app.model.tables import OPERATION, RUN_METRICS, TABLES, Table

BACKLOG_HOURS = 24
"""A raw file that waits longer than the slowest sensible schedule, daily, is not being processed."""

CDN_BATCHES = 20
CDN_PART = 0.01
"""Of the elements of the last micro-batches; fewer with a CDN's address are programs that run on its machines."""

_RUN = "clickstream run"


def tables(pipeline: Pipeline) -> Iterator[Finding]:
    """Tables are there, in this version's layout."""
    there = [table for table in TABLES.values() if table_exists(pipeline.lake, table)]
    if not there:
        yield Finding("tables", "ok", f"{pipeline.config.sink.uri}: no tables yet, the first run creates them")
        return
    missing = [name for name in TABLES if name not in {table.name for table in there}]
    if missing:
        yield Finding("tables", "warning", f"not there yet: {', '.join(missing)}", f"the next run creates them: {_RUN}")
    yield from _check_layouts(pipeline, there)


def _check_layouts(pipeline: Pipeline, there: list[Table]) -> Iterator[Finding]:
    older = []
    for table in there:
        try:
            if layout_of(pipeline.lake.open(table)) < LAYOUT_VERSION:
                older.append(table.name)
        except SinkError as error:
            yield Finding("tables", "problem", str(error), error.hint)
    if older:
        yield Finding(
            "tables",
            "warning",
            f"have an older layout than {LAYOUT_VERSION}: {', '.join(older)}",
            f"the next run migrates them: {_RUN}",
        )
    else:
        yield Finding("tables", "ok", f"{len(there)} tables at {pipeline.config.sink.uri}")


def lease(pipeline: Pipeline) -> Iterator[Finding]:
    """The process that writes to the tables, and whether it is alive."""
    holder = holder_of(pipeline.config, pipeline.storage)
    if holder is None:
        yield Finding("lease", "ok", "no process writes to the tables")
        return
    silent = time.time() - holder.renewed
    if holder.is_here or silent < holder.ttl_seconds:
        yield Finding("lease", "ok", f"in use, alive: {holder}")
        return
    yield Finding(
        "lease",
        "warning",
        f"{holder} has not been heard of for {silent:,.0f} s",
        f"nothing is to be done: if it is dead, the next run waits {holder.ttl_seconds:.0f} s and takes over",
    )


def backlog(pipeline: Pipeline) -> Iterator[Finding]:
    """The unprocessed files, by the checkpoints."""
    config, objects = pipeline.config, pipeline.objects
    found = [find_backlog(source_partition, config.source.glob, objects) for source_partition in due_partitions(config, objects)]
    yield _describe_backlog(found)
    if any(each.unfinished for each in found):
        yield Finding("backlog", "warning", "a micro-batch was interrupted", f"it goes on with the next run: {_RUN}")
    if table_exists(pipeline.lake, RUN_METRICS) and derive_is_behind(config, objects):
        yield Finding("backlog", "warning", "user and session lack some events", f"the next run updates them: {_RUN}")


def _describe_backlog(found: list[Backlog]) -> Finding:
    files, size = sum(each.files for each in found), sum(each.bytes for each in found)
    oldest = min((each.oldest for each in found if each.oldest is not None), default=None)
    if oldest is None:
        return Finding("backlog", "ok", "nothing is unprocessed")
    hours = (time.time() - oldest) / 3_600
    message = f"{files:,} unprocessed files, {size / 1e6:,.1f} MB, the oldest {_format_age(hours)} old"
    if hours <= BACKLOG_HOURS:
        return Finding("backlog", "ok", message)
    return Finding("backlog", "warning", message, f"look at the schedule and the last run's log, or: {_RUN}")


def last_run(pipeline: Pipeline) -> Iterator[Finding]:
    """The time of the last micro-batch, from the log alone."""
    if not table_exists(pipeline.lake, RUN_METRICS):
        return
    moment = max(map(_newest_batch_time, live_files(pipeline.lake.open(RUN_METRICS))), default=_NEVER)
    if moment == _NEVER:
        yield Finding("last run", "ok", "no micro-batch yet")
        return
    hours = (datetime.now(UTC) - moment).total_seconds() / 3_600
    yield Finding("last run", "ok", f"the last micro-batch began {moment:%Y-%m-%d %H:%M:%S} UTC, {_format_age(hours)} ago")


def addresses(pipeline: Pipeline) -> Iterator[Finding]:
    """Whether visitors are located by their own addresses, not by a CDN's; by the last micro-batches."""
    if not table_exists(pipeline.lake, RUN_METRICS):
        return
    files = sorted(live_files(pipeline.lake.open(RUN_METRICS)), key=_newest_batch_time)[-CDN_BATCHES:]
    with query_session(pipeline.lake, {RUN_METRICS.name: files}) as query:
        sql = f"SELECT received, enrichers FROM {RUN_METRICS.name} ORDER BY created_time DESC LIMIT {CDN_BATCHES}"
        batches = query(sql).to_pylist()
    counted: dict[str, list[tuple[int, int]]] = {}
    for batch in batches:
        for name, use in msgspec.json.decode(batch["enrichers"] or "{}").items():
            if (count := use.get("counts", {}).get(CDN_ADDRESSES)) is not None:
                counted.setdefault(name, []).append((count, batch["received"]))
    for name, found in counted.items():
        yield _check_cdn_share(pipeline, name, *map(sum, zip(*found, strict=True)))


def _check_cdn_share(pipeline: Pipeline, name: str, count: int, received: int) -> Finding:
    message = f"{name}: {count:,} of the last {received:,} elements have the address of a CDN"
    if count <= CDN_PART * received:
        return Finding("addresses", "ok", message)
    options = next((entry[name] for entry in pipeline.config.enrichers if name in entry), {})
    if options.get("trusted_proxies", "auto") == "auto":
        remedy = "have the CDN and the load balancer append to X-Forwarded-For, which is their default"
    else:
        remedy = f"set enrichers: {name}: trusted_proxies: auto, or a larger number; then reprocess the days"
    return Finding("addresses", "warning", f"{message}: it, not the visitor, was located", remedy)


def operations(pipeline: Pipeline) -> Iterator[Finding]:
    """Operators' commands that were killed."""
    if not table_exists(pipeline.lake, OPERATION):
        return
    holder = holder_of(pipeline.config, pipeline.storage)
    found = [each for each in find_interrupted(pipeline.lake) if holder is None or each.operation != holder.purpose]
    for each in found:
        yield Finding("operations", "warning", f"was interrupted: {each}", f"repeat it: clickstream {each.operation}")
    if not found:
        yield Finding("operations", "ok", "no command was interrupted")


_NEVER = datetime.fromtimestamp(0, UTC)


def _newest_batch_time(file: DataFile) -> datetime:
    """When the newest micro-batch in a file of ``run_metrics`` began, from the log alone."""
    moment = file.max_values.get("created_time")
    if not isinstance(moment, datetime):
        return _NEVER
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _format_age(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"
