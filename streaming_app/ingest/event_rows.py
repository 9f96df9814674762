"""Accepted events and their items: typed rows to Arrow tables, through the enrichers, to Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.enrichers.opened import worker_enrichers
from streaming_app.ingest.copies import Copies, without_twins
from streaming_app.ingest.enrich import Enrichment, Use
from streaming_app.model.arrow import as_timestamp, drop_largest, fit_json, to_columns
from streaming_app.model.columns import columns_of, json_text, text
from streaming_app.model.event import URL, Event
from streaming_app.model.item import Item
from streaming_app.model.request import Request
from streaming_app.model.shorten import cut
from streaming_app.model.tables import EVENT, ITEM, Table
from streaming_app.model.times import iso_time
from streaming_app.tables.files import WrittenFile
from streaming_app.tables.parquet import PartitionWriter

if TYPE_CHECKING:
    from streaming_app.ingest.batch import Batch

FLUSH_ROWS = 16_384
ID_BYTES = 255
_astuple = msgspec.structs.astuple
_encode = msgspec.json.Encoder().encode
_EVENT_COLUMNS = tuple(columns_of(Event))
_ITEM_COLUMNS = tuple(columns_of(Item))
_KNOWN = {column.name: column for column in EVENT.columns}
_ITEM_HEAD = (
    _KNOWN["event_time_msec"],
    *(_KNOWN[n] for n in ("event_id", "event_name", "platform", "user_pseudo_id", "user_id", "app_id")),
)
_REQUEST_COLUMNS = (
    _KNOWN["ingest_time_msec"],
    _KNOWN["device_ua"],
    _KNOWN["process_info"],
    text("user agent", 2_048),
    text("address", 2_048),
)
_TRANSIENT = {"ua": _REQUEST_COLUMNS[3], "ip": _REQUEST_COLUMNS[4], "client_hints": json_text("client hints")}
"""Fields of an event that follow its columns, in the order of the class."""


class EventRows:
    """Collects events request by request; ``duplicate`` counts the copies that lost to one met before."""

    def __init__(self, batch: Batch, task: str) -> None:
        config = batch.config
        self._batch = batch
        self._writers = {
            table.name: PartitionWriter(table, config.table_uri(table.name), batch.storage, task) for table in (EVENT, ITEM)
        }
        self._enrichment = Enrichment(worker_enrichers(config, batch.storage, batch.job_id))
        self._privacy = batch.address_privacy
        self._run_info = {
            "process_job_id": batch.job_id,
            "process_time": iso_time(batch.created_ms),
        }
        self._rows: list[tuple[Any, ...]] = []
        self._requests: list[tuple[Any, ...]] = []
        self._sizes: list[int] = []
        self._infos: dict[int, str] = {}
        self._items: list[tuple[Any, ...]] = []
        self._copies = Copies()
        self.duplicate = self.filtered = 0

    def add(self, request: Request, events: list[Event]) -> None:
        """Take the accepted events of one request."""
        if len(events) > 1 and len({event.event_id for event in events}) < len(events):
            kept = without_twins(events)
            self.duplicate += len(events) - len(kept)
            events = kept
        info = self._request_info(request)
        info_text = _encode(info).decode()
        for event in events:
            own_text = info_text
            if event.notes:
                own_text = self._infos[len(self._rows)] = drop_largest(_encode({**info, **event.notes}).decode(), URL)[0]
            if event.items:
                self._add_items(event, own_text)
            self._rows.append(_astuple(event))
        agent = _encode({"string": request.ua}).decode() if request.ua else None
        self._requests.append((request.ingest_time, agent, info_text, request.ua, request.ip))
        self._sizes.append(len(events))
        if len(self._rows) >= FLUSH_ROWS:
            self._flush()

    def close(self) -> list[WrittenFile]:
        """Write what is left; returns every file."""
        self._flush()
        return [file for writer in self._writers.values() for file in writer.close()]

    def uses(self) -> dict[str, Use]:
        """What each enricher did."""
        return self._enrichment.close()

    def _request_info(self, request: Request) -> dict[str, Any]:
        """Lineage of a request: where it came from and what the server knew of it."""
        info = {
            "rid": request.rid and cut(request.rid, ID_BYTES),
            "ingest_time": iso_time(request.ingest_time),
            "upload_time": iso_time(request.upload_time),
            "source_ip": self._source_ip(request.ip),
            "input_file_name": request.source_file,
            "input_file_line": request.source_line,
        }
        return {key: value for key, value in info.items() if value is not None} | self._run_info

    def _source_ip(self, header: str | None) -> str | None:
        """What may be kept of the address, cut: a header that clients can fill."""
        address = self._privacy.apply(header)
        return address and cut(address, ID_BYTES)

    def _add_items(self, event: Event, info: str) -> None:
        head = (
            event.event_time_msec,
            event.event_id,
            event.event_name,
            event.platform,
            event.user_pseudo_id,
            event.user_id,
            event.app_id,
        )
        for index, item in enumerate(event.items or ()):
            self._items.append((*head, *_astuple(item), info, index, len(self._rows)))

    def _flush(self) -> None:
        if not self._rows:
            return
        events = self._enrichment.apply(self._event_table())
        stay = self._staying(events)
        events, which = events.filter(stay), stay.to_numpy(zero_copy_only=False)
        self._write(EVENT, {name: events[name].combine_chunks() for name in events.column_names})
        if items := [item for item in self._items if which[item[-1]]]:
            self._write(ITEM, _item_columns(items))
        self._rows, self._requests, self._sizes, self._infos, self._items = [], [], [], {}, []

    def _staying(self, events: pa.Table) -> pa.Array:
        """Which rows are written: neither filtered by an enricher, nor a copy that lost. A filtered copy is no rival."""
        stay = np.ones(len(events), dtype=bool)
        if "is_filtered" in events.column_names:
            stay = ~events["is_filtered"].to_numpy()
            self.filtered += len(stay) - int(stay.sum())
        better = self._copies.may_stay(events.filter(pa.array(stay)))
        self.duplicate += len(better) - sum(better)
        stay[stay] = better
        return pa.array(stay)

    def _event_table(self) -> pa.Table:
        arrays = to_columns(self._rows, (*_EVENT_COLUMNS, *_TRANSIENT.values()))
        table = dict(zip([*(column.name for column in _EVENT_COLUMNS), *_TRANSIENT], arrays, strict=True))
        which = pa.array(np.repeat(np.arange(len(self._sizes)), self._sizes))
        shared = (array.take(which) for array in to_columns(self._requests, _REQUEST_COLUMNS))
        ingest, agent, info, ua, ip = shared
        table["ingest_time_msec"], table["process_info"] = ingest, self._with_own_infos(info)
        table["ua"], table["ip"] = pc.coalesce(table["ua"], ua), pc.coalesce(table["ip"], ip)
        table["device_ua"] = pc.coalesce(table["device_ua"], agent)
        table["project_id"] = pa.repeat(self._batch.config.project_id, len(self._rows))
        return pa.table(table)

    def _with_own_infos(self, infos: pa.Array) -> pa.Array:
        """The lineage of each event: that of its request unless it has something of its own to tell."""
        if not self._infos:
            return infos
        mask = np.zeros(len(infos), dtype=bool)
        mask[list(self._infos)] = True
        return pc.replace_with_mask(infos, mask, pa.array(self._infos.values(), pa.string()))

    def _write(self, table: Table, columns: dict[str, pa.Array]) -> None:
        fit_json(columns, table.columns)
        time = as_timestamp(columns["event_time_msec"])
        columns["event_timestamp"] = time
        columns["year"], columns["month"], columns["day"] = (part(time).cast(pa.int32()) for part in (pc.year, pc.month, pc.day))
        columns["created_time"] = as_timestamp(pa.repeat(pa.scalar(self._batch.created_ms, pa.int64()), len(time)))
        self._writers[table.name].add(pa.table([columns[name] for name in table.schema.names], schema=table.schema))


def _item_columns(rows: list[tuple[Any, ...]]) -> dict[str, pa.Array]:
    columns = (*_ITEM_HEAD, *_ITEM_COLUMNS, _KNOWN["process_info"], ITEM_INDEX)
    return dict(zip([column.name for column in columns], to_columns(rows, columns), strict=True))


ITEM_INDEX = next(column for column in ITEM.columns if column.name == "item_index")
