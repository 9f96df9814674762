"""Writes accepted events and their items to Parquet files: enriched, filtered, deduplicated within the task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.write.enrich import EnricherStats, Enrichment
from streaming_app.ingest.write.event_table import EventTable
from streaming_app.ingest.write.latency import LatencyHistogram
from streaming_app.ingest.write.rows import BUFFER_BYTES, add_partition_columns
from streaming_app.ingest.write.task_deduplicator import COMPARED, TaskDeduplicator, drop_repeats_in_request
from streaming_app.lake.files import DataFile
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.rows import RowMask
from streaming_app.model.arrow import to_columns
from streaming_app.model.columns import columns_of
from streaming_app.model.event import Event
from streaming_app.model.item import Item
from streaming_app.model.lineage import LINEAGE
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
    """Buffers events request by request and writes them.

    ``duplicate`` counts events left out as duplicates of an earlier one, ``filtered`` those that an enricher left out;
    ``latency`` is that of the written ones.
    """

    def __init__(self, batch: Batch, task: str) -> None:
        config = batch.config
        self._batch, self._lineage = batch, batch.make_lineage_writer()
        self._writers = {
            table.name: PartitionWriter(table, config.table_uri(table.name), batch.storage, task) for table in (EVENT, ITEM)
        }
        self._enrichment = Enrichment(
            open_worker_enrichers(config, batch.storage, batch.job_id), config.limits.max_plugin_seconds
        )
        self._privacy = batch.address_privacy
        self._events = EventTable(config.project_id, self._privacy)
        self._items: list[tuple[Any, ...]] = []
        self._deduplicator = TaskDeduplicator()
        self.duplicate = self.filtered = 0
        self.latency = LatencyHistogram()

    def add(self, request: Request, events: list[Event]) -> None:
        """Add the accepted events of one request."""
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

    def close(self) -> list[DataFile]:
        """Write the buffered rows; returns all files."""
        self._flush()
        return [file for writer in self._writers.values() for file in writer.close()]

    def close_enrichers(self) -> dict[str, EnricherStats]:
        """The statistics of each enricher by its name; addresses in error messages are treated as the configuration demands."""
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
        events = clean_columns(self._enrichment.apply(self._events.make()), self._privacy)
        keep = self._keep_mask(events)
        written = _filter(events, keep)
        self.latency.observe(written, self._batch.created_ms)
        self._write(EVENT, written)
        if items := [item for item in self._items if keep[item[-1]]]:
            table = pa.table(to_columns(items, _ITEM_COLUMNS), [column.name for column in _ITEM_COLUMNS])
            lineage = events.select(LINEAGE).take(pa.array([item[-1] for item in items]))
            for name in LINEAGE:
                table = table.append_column(name, lineage[name])
            self._write(ITEM, clean_columns(table, self._privacy))
        self._items = []

    def _keep_mask(self, events: pa.Table) -> RowMask:
        """Per row, whether it is written: neither filtered by an enricher nor a duplicate. Filtered events are not compared."""
        keep = np.ones(len(events), dtype=bool)
        if "is_filtered" in events.column_names:
            keep = ~pc.fill_null(events["is_filtered"], False).to_numpy()
            self.filtered += len(keep) - int(keep.sum())
        unique = self._deduplicator.keep_mask(_filter(events.select(COMPARED), keep))
        self.duplicate += len(unique) - int(unique.sum())
        keep[keep] = unique
        return keep

    def _write(self, table: Table, rows: pa.Table) -> None:
        self._writers[table.name].add(add_partition_columns(table, rows, self._batch.created_ms))


def _by_items(events: list[Event]) -> Iterator[list[Event]]:
    """Split events into groups with a bounded number of events and items: a payload can hold a million items."""
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


def _filter(rows: pa.Table, keep: RowMask) -> pa.Table:
    """The rows to keep. Usually these are all rows: then nothing is copied, which would take 1 µs an event for 100 columns."""
    return rows if keep.all() else rows.filter(pa.array(keep))
