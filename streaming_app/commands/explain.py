"""What each stage does to one request: parsed, each element, each enricher's additions, where it would land.

The very stages of the pass, on one request; nothing is written.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pyarrow as pa

from streaming_app.config.model import Config
from streaming_app.errors import InputError
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.transform.route import ElementRouter
from streaming_app.ingest.write.deduplicate import drop_repeats_in_request
from streaming_app.ingest.write.enrich import Enrichment
from streaming_app.ingest.write.event_table import EventTable
from streaming_app.model.arrow import as_timestamp
from streaming_app.model.request import parse_request
from streaming_app.model.tables import EVENT
from streaming_app.plugins.loading import ConfiguredEnricher, open_enrichers
from streaming_app.storage.files import Storage

Values = dict[str, Any]


class Refused(msgspec.Struct):
    """An element that would land in ``quarantine``."""

    stage: str
    reason: str
    message: str
    position: int | None = None


class Explained(msgspec.Struct):
    """One event: what its transformer made of it, what each enricher added or changed, and the rows it would bring."""

    transformed: Values
    enriched: dict[str, Values]
    lands: Values


class Explanation(msgspec.Struct):
    """One request. ``changes`` are those of attributes, ``duplicates`` copies of an event within it, ``failures`` the errors of
    enrichers by their name."""

    request: Values
    transformer: str | None = None
    events: list[Explained] = []
    changes: list[Values] = []
    refused: list[Refused] = []
    duplicates: int = 0
    failures: dict[str, str] = {}


def explain(line: bytes, config: Config, storage: Storage, file: str = "", number: int = 0) -> Explanation:
    """Take one raw line through the stages of the pass.

    Raises:
        ConfigError: an enricher cannot be opened.
    """
    steps = open_enrichers(config, storage)
    try:
        request = parse_request(line)
    except InputError as error:
        return Explanation({}, refused=[Refused("request", error.reason, str(error))])
    request.source_file, request.source_line = file, number
    router = ElementRouter(config)
    transformer = router.transformer_of(request)
    accepted, changes, rejected = router.route(request)
    events = drop_repeats_in_request(accepted)
    done = Explanation(
        {name: value for name, value in msgspec.to_builtins(request).items() if value is not None and name != "data"},
        type(transformer).__name__ if transformer else None,
        refused=[Refused(stage, each.reason, each.message, each.position) for each, stage in rejected],
        duplicates=len(accepted) - len(events),
        changes=[_filled(msgspec.to_builtins(each)) for each in changes],
    )
    if events:
        batch = Batch(
            config, storage, stream_id="", batch_id=0, job_id="explain", created_ms=int(time.time() * 1000), window="explain"
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
    done.events = [Explained(_filled(row), {}, {}) for row in rows]
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
        event.lands = _landing(row, count)


def _filled(row: Values) -> Values:
    return {name: value for name, value in row.items() if value is not None}


def _landing(row: Values, items: int) -> Values:
    """Tables and their partitions or keys; a copy that is stored already may still win."""
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
