"""``reprocess``: days of events made anew from their raw files, with today's code, rules and configuration.

The ordinary ingest runs into a shadow of the tables first, with a checkpoint of its own: it is as exactly once and as easy to
interrupt as ever. Then each day of ``item``, ``change`` and ``event`` is exchanged for the shadow's, in one commit a table.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.backlog.any_objects import AnyObjects
from streaming_app.backlog.unprocessed import unprocessed
from streaming_app.config.model import Checkpoint, Config
from streaming_app.config.model import Sink as SinkSection
from streaming_app.derive.changes import upsert_items
from streaming_app.derive.rebuild import rebuild_stale_users
from streaming_app.derive.stale import mark_stale
from streaming_app.derive.stream import derive
from streaming_app.enrichers.opened import open_enrichers
from streaming_app.ingest.stream import ingest
from streaming_app.ingest.torn import roll_back_torn_batch
from streaming_app.model.tables import CHANGE, EVENT, ITEM, ITEM_ATTRIBUTES
from streaming_app.operations.days import Days
from streaming_app.operations.operation import Operation, operation
from streaming_app.operations.raw_files import RawFiles, raw_files_of, unread_files
from streaming_app.operations.replace_day import exchange_of, make_exchange, users_of
from streaming_app.operations.replay import Wanted, replay_into
from streaming_app.operations.requarantine import add_quarantined
from streaming_app.operations.scratch import scratch
from streaming_app.progress import Progress
from streaming_app.session import get_session
from streaming_app.summary import Summary
from streaming_app.tables.delta import Sink, live_files, sink_for
from streaming_app.tables.rows import read_batches

PHASES = ("start", "ingest", "replace", "rebuild", "replay", "derive")
EXCHANGED = (ITEM, CHANGE, EVENT)
"""In this order: ``event`` says what there is, so it comes last."""


def planned(config: Config, days: Days) -> dict[str, int]:
    """What would be read, and how much is there now; nothing is written."""
    sink, objects = sink_for(config), AnyObjects(config.s3.endpoint, config.s3.region)
    raw = raw_files_of(config, sink, days, objects, config.checkpoint_uri(f"{_name(days)}/ingest"))
    backlog = unprocessed(raw.window, config.source.glob, objects)
    events = sum(file.rows for file in live_files(sink.open(EVENT)) if file.day in days)
    return {"files": backlog.files, "bytes": backlog.bytes, "events_now": events, "files_that_are_gone": len(raw.gone)}


def reprocess(config: Config, days: Days, progress: Progress) -> dict[str, Any]:
    """Rebuild the days; user, session and item_attributes follow, and so does what is in quarantine.

    Raises:
        LeaseError: another process writes to these tables.
        SourceError: there is no raw file of these days.
    """
    progress.phase("start")
    with operation(config, "reprocess", {"from": str(days.first), "to": str(days.last)}) as this:
        storage = this.sink.storage
        open_enrichers(config, storage)
        spark = get_session(config, storage)
        with scratch(config, _name(days), storage) as folder:
            # What derive has not seen when its day is exchanged would be counted twice.
            derive(spark, config, this.sink, Summary(this.job_id))
            shadow_config, shadow = _shadow(config, this.sink, folder)
            objects = AnyObjects(config.s3.endpoint, config.s3.region)
            raw = raw_files_of(config, this.sink, days, objects, f"{folder}/ingest")
            backlog = unprocessed(raw.window, config.source.glob, objects)
            progress.phase("ingest")
            progress.backlog(backlog.files, backlog.bytes)
            if backlog:
                ingest(spark, shadow_config, shadow, backlog, this.job_id, progress.batch)
            progress.phase("replace")
            raw = replace(raw, gone=raw.gone | unread_files(shadow))
            _exchange(this, shadow, days, raw)
            progress.phase("rebuild")
            rebuild_stale_users(config, this.sink, this.job_id)
            _rebuild_items(this.sink)
            progress.phase("replay")
            sources = add_quarantined(this, shadow)
            replay_into(this, Wanted(source_files=sources), progress)
            progress.phase("derive")
            derive(spark, config, this.sink, Summary(this.job_id))
    return this.result


def _name(days: Days) -> str:
    return f"reprocess/{days}"


def _shadow(config: Config, sink: Sink, folder: str) -> tuple[Config, Sink]:
    """The same pipeline with tables and checkpoints of its own."""
    own = {"sink": SinkSection(uri=f"{folder}/tables"), "checkpoint": Checkpoint(uri=folder)}
    shadow = Sink(f"{folder}/tables", sink.storage, sink.guard)
    shadowed = config.model_copy(update=own)
    roll_back_torn_batch(shadowed, shadow)
    shadow.create_all()
    return shadowed, shadow


def _exchange(this: Operation, shadow: Sink, days: Days, raw: RawFiles) -> None:
    this.result |= dict.fromkeys(("days", "before", "after", "kept"), 0)
    for day in days:
        exchanges = [exchange_of(table, day, this.sink, shadow) for table in EXCHANGED]
        users = {user for each in exchanges if each.table is not ITEM for user in users_of(each, this.sink, shadow)}
        if users:
            mark_stale(this.config, this.sink.storage, f"{this.job_id}-{day}", users)
        for exchange in filter(None, exchanges):
            counts = make_exchange(exchange, raw.gone, this.sink, shadow)
            if exchange.table is not ITEM:
                for name, number in counts.items():
                    this.count(name, number)
        this.count("days")


def _rebuild_items(sink: Sink) -> None:
    """Every item with attributes is folded anew: which ones have changed cannot be told any more after a crash."""
    found: dict[str, list[pa.Array]] = {}
    for table in (CHANGE, ITEM_ATTRIBUTES):
        for file in live_files(sink.open(table)):
            for rows in read_batches(sink, table, file, ["item_id"]):
                found.setdefault(file.partition["app_id"], []).append(pc.unique(rows["item_id"].drop_null()))
    keys = {app_id: pc.unique(pa.chunked_array(parts, pa.string())) for app_id, parts in found.items()}
    upsert_items(sink, keys, int(time.time() * 1_000), (f"items-{uuid.uuid4()}", 0))
