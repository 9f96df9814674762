"""Accepted events and their items: through the enrichers, without what must not be written, to Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.commit.hashes import Mask
from streaming_app.ingest.write.latency import LatencyHistogram
from streaming_app.ingest.write.buffer_size import BUFFER_BYTES
from streaming_app.ingest.write.deduplicate import KNOWN_BY, TaskDeduplicator, drop_repeats_in_request
from streaming_app.ingest.write.day_rows import add_partition_columns
from streaming_app.ingest.write.enrich import Enrichment, EnricherStats
from streaming_app.ingest.write.event_table import EventTable
from streaming_app.ingest.write.lineage import Lineage
from streaming_app.lake.files import WrittenFile
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.model.arrow import to_columns
from streaming_app.model.columns import columns_of
from streaming_app.model.event import Event
from streaming_app.model.item import Item
from streaming_app.model.request import Request
from streaming_app.model.tables import EVENT, ITEM, Table
from streaming_app.plugins.loading import open_worker_enrichers
from streaming_app.privacy.columns import clean_columns

if TYPE_CHECKING:
    from streaming_app.ingest.batch import Batch

FLUSH_ROWS = 16_384
FLUSH_ITEMS = 65_536
_astuple = msgspec.structs.astuple
_ITEM = {column.name: column for column in ITEM.columns}
_ITEM_HEAD = ("event_time_msec", "event_id", "event_name", "platform", "user_pseudo_id", "user_id", "app_id")
_KNOWN = {column.name: column for column in EVENT.columns}
_ITEM_COLUMNS = (*(_KNOWN[name] for name in _ITEM_HEAD), *columns_of(Item), _KNOWN["process_info"], _ITEM["item_index"])


class EventRows:
    """Collects events request by request; ``duplicate`` counts copies that lost to one met before, ``filtered`` the events
    that an enricher left out, ``latency`` how old the written ones are."""

    def __init__(self, batch: Batch, task: str) -> None:
        config = batch.config
        self._batch, self._lineage = batch, Lineage(batch)
        self._writers = {
            table.name: PartitionWriter(table, config.table_uri(table.name), batch.storage, task) for table in (EVENT, ITEM)
        }
        self._enrichment = Enrichment(open_worker_enrichers(config, batch.storage, batch.job_id), config.limits.max_plugin_seconds)
        self._privacy = batch.address_privacy
        self._events = EventTable(config.project_id, self._privacy)
        self._items: list[tuple[Any, ...]] = []
        self._copies = TaskDeduplicator()
        self.duplicate = self.filtered = 0
        self.latency = LatencyHistogram()

    def add(self, request: Request, events: list[Event]) -> None:
        """Take the accepted events of one request."""
        if len(events) > 1 and len({event.event_id for event in events}) < len(events):
            kept = drop_repeats_in_request(events)
            self.duplicate += len(events) - len(kept)
            events = kept
        for part in _by_items(events):
            self._add(request, part)

    def _add(self, request: Request, events: list[Event]) -> None:
        first = len(self._events)
        infos = self._events.add(request, events, self._lineage.of(request))
        for row, (event, info) in enumerate(zip(events, infos, strict=True), first):
            if event.items:
                self._add_items(event, info, row)
        if len(self._events) >= FLUSH_ROWS or len(self._items) >= FLUSH_ITEMS or self._events.bytes >= BUFFER_BYTES:
            self._flush()

    def close(self) -> list[WrittenFile]:
        """Write what is left; returns every file."""
        self._flush()
        return [file for writer in self._writers.values() for file in writer.close()]

    def stats(self) -> dict[str, EnricherStats]:
        """What each enricher did; what it said of an error may name an address."""
        stats = self._enrichment.close()
        for use in stats.values():
            use.error = use.error and self._privacy.clean(use.error)
        return stats

    def _add_items(self, event: Event, info: str, row: int) -> None:
        head = tuple(getattr(event, name) for name in _ITEM_HEAD)
        self._items += ((*head, *_astuple(item), info, index, row) for index, item in enumerate(event.items or ()))

    def _flush(self) -> None:
        if not len(self._events):
            return
        request_ids = self._events.request_ids
        events = clean_columns(self._enrichment.apply(self._events.make()), self._privacy)
        stay = self._staying(events, request_ids)
        written = _kept(events, stay)
        self.latency.observe(written, self._batch.created_ms)
        self._write(EVENT, written)
        if items := [item for item in self._items if stay[item[-1]]]:
            table = pa.table(to_columns(items, _ITEM_COLUMNS), [column.name for column in _ITEM_COLUMNS])
            self._write(ITEM, clean_columns(table, self._privacy))
        self._items = []

    def _staying(self, events: pa.Table, request_ids: list[str]) -> Mask:
        """Which rows are written: neither filtered by an enricher, nor a copy that lost. A filtered copy is no rival."""
        stay = np.ones(len(events), dtype=bool)
        if "is_filtered" in events.column_names:
            stay = ~pc.fill_null(events["is_filtered"], False).to_numpy()
            self.filtered += len(stay) - int(stay.sum())
        better = self._copies.keep_mask(_kept(events.select(KNOWN_BY), stay), compress(request_ids, stay))
        self.duplicate += len(better) - int(better.sum())
        stay[stay] = better
        return stay

    def _write(self, table: Table, rows: pa.Table) -> None:
        self._writers[table.name].add(add_partition_columns(table, rows, self._batch.created_ms))


def _by_items(events: list[Event]) -> Iterator[list[Event]]:
    """The events in parts of a bounded size, with a bounded number of items: a payload can hold a million of them."""
    part: list[Event] = []
    items = 0
    for event in events:
        part.append(event)
        items += len(event.items or ())
        if items >= FLUSH_ITEMS or len(part) >= FLUSH_ROWS:
            yield part
            part, items = [], 0
    if part:
        yield part


def _kept(rows: pa.Table, stay: Mask) -> pa.Table:
    """Some of the rows; mostly all of them, and a copy of 100 columns is 1 µs an event."""
    return rows if stay.all() else rows.filter(pa.array(stay))
