"""``explain``: what each stage does to one request: parse, transform, enrich, and the tables where it would be stored.

It runs the stages of ingest on one request; nothing is written.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import msgspec
import pyarrow as pa

from streaming_app.config.model import Config
from streaming_app.errors import InputError, SourceError
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.read.decompress import BrokenFile, blocks_of
from streaming_app.ingest.read.lines import BadPart, LineReader
from streaming_app.ingest.read.open_raw import explain_unreadable, open_raw
from streaming_app.ingest.transform.route import ElementRouter
from streaming_app.ingest.write.enrich import Enrichment
from streaming_app.ingest.write.event_table import EventTable
from streaming_app.ingest.write.task_deduplicator import drop_repeats_in_request
from streaming_app.model.arrow import as_timestamp
from streaming_app.model.request import parse_request
from streaming_app.model.tables import EVENT
from streaming_app.plugins.loading import ConfiguredEnricher, open_enrichers
from streaming_app.storage.files import Storage

RowValues = dict[str, Any]


class ExplainedRejection(msgspec.Struct):
    """An element that would be stored in ``quarantine``."""

    stage: str
    reason: str
    message: str
    position: int | None = None


class ExplainedEvent(msgspec.Struct):
    """One event: its transformer's result, what each enricher added or changed, and the tables where it would be stored."""

    transformed: RowValues
    enriched: dict[str, RowValues]
    lands: RowValues


class Explanation(msgspec.Struct):
    """One request. ``changes`` are those of attributes, ``duplicates`` counts repeated events within it, ``failures`` are errors
    of enrichers by name."""

    request: RowValues
    transformer: str | None = None
    events: list[ExplainedEvent] = []
    changes: list[RowValues] = []
    refused: list[ExplainedRejection] = []
    duplicates: int = 0
    failures: dict[str, str] = {}


def read_request(uri: str, number: int | None, max_bytes: int, storage: Storage) -> tuple[bytes, int]:
    """Read one request of a file; returns its text and the number of its line.

    Without a ``number`` it is the first line, or the whole file where that is one JSON object.

    Raises:
        SourceError: the file, or this line of it, cannot be read.
    """
    if number is None:
        whole = _read_whole(uri, max_bytes, storage)
        if _is_object(whole):
            return whole, 1
    for found, part in LineReader(storage, uri, max_bytes):
        if number in (None, found):
            if isinstance(part, BadPart):
                raise SourceError(f"{uri}: {part.message}", "the job would quarantine it as " + part.reason)
            return part, found
    raise SourceError(f"{uri} has no line {number or 1}", "lines count from 1, blank ones too")


def _read_whole(uri: str, max_bytes: int, storage: Storage) -> bytes:
    """The content, decompressed in memory; not much more of it than a line may have."""
    blocks: list[bytes] = []
    try:
        with open_raw(storage, uri) as raw, suppress(BrokenFile):
            size = 0
            for block in blocks_of(raw):
                blocks.append(block)
                size += len(block)
                if size > max_bytes:
                    break
    except (OSError, pa.ArrowInvalid, UnicodeError) as error:
        why = explain_unreadable(storage, uri, error) or error
        raise SourceError(f"{uri}: cannot be read: {why}", "give a file with one request as JSON") from None
    return b"".join(blocks)


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def explain_request(line: bytes, config: Config, storage: Storage, file: str = "", number: int = 0) -> Explanation:
    """Take one raw line through the stages of ingest.

    Raises:
        ConfigError: an enricher cannot be opened.
    """
    steps = open_enrichers(config, storage)
    try:
        request = parse_request(line)
    except InputError as error:
        return Explanation({}, refused=[ExplainedRejection("request", error.reason, str(error))])
    request.source_file, request.source_line = file, number
    router = ElementRouter(config)
    transformer = router.transformer_of(request)
    accepted, changes, rejected = router.route(request)
    events = drop_repeats_in_request(accepted)
    done = Explanation(
        {name: value for name, value in msgspec.to_builtins(request).items() if value is not None and name != "data"},
        type(transformer).__name__ if transformer else None,
        refused=[ExplainedRejection(stage, each.reason, each.message, each.position) for each, stage in rejected],
        duplicates=len(accepted) - len(events),
        changes=[_without_nulls(msgspec.to_builtins(each)) for each in changes],
    )
    if events:
        batch = Batch(
            config,
            storage,
            stream_id="",
            batch_id=0,
            job_id="explain",
            created_ms=int(time.time() * 1000),
            source_partition="explain",
        )
        table = EventTable(config.project_id, batch.address_privacy)
        table.add(request, events, batch.make_lineage_writer().of(request))
        items = [len(event.items or ()) for event in events]
        _explain_events(table.make(), steps, config.limits.max_plugin_seconds, items, done)
    return done


def _explain_events(
    table: pa.Table, steps: list[ConfiguredEnricher], max_seconds: float, items: list[int], done: Explanation
) -> None:
    rows = table.to_pylist()
    done.events = [ExplainedEvent(_without_nulls(row), {}, {}) for row in rows]
    for step in steps:
        enrichment = Enrichment([step], max_seconds)  # one at a time, to see what each adds
        table, before = enrichment.apply(table), rows
        rows = table.to_pylist()
        for event, old, new in zip(done.events, before, rows, strict=True):
            event.enriched[step.name] = {name: value for name, value in new.items() if value != old.get(name)}
        for name, use in enrichment.close().items():
            if use.error:
                done.failures[name] = use.error
    for event, row, count in zip(done.events, rows, items, strict=True):
        event.lands = _find_destination(row, count)


def _without_nulls(row: RowValues) -> RowValues:
    return {name: value for name, value in row.items() if value is not None}


def _find_destination(row: RowValues, items: int) -> RowValues:
    """Tables and their partitions or keys; a stored duplicate may still win."""
    if row.get("is_filtered"):
        return {"filtered": "left out by an enricher: in no table, counted"}
    day = as_timestamp(pa.array([row["event_time_msec"]]))[0].as_py()
    values = {**row, "year": day.year, "month": day.month, "day": day.day}
    where = "/".join(f"{name}={values[name]}" for name in EVENT.partition_by)
    user = row["user_pseudo_id"]
    return {
        "event": where,
        **({"item": f"{where}, {items} rows"} if items else {}),
        **({"user": user, "session": row["session_id"] or "inferred from pauses"} if user else {}),
    }
