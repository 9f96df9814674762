"""Accepted changes of attributes, to Parquet: rows of the table ``change``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from streaming_app.ingest.write.buffer_size import BUFFER_BYTES, measure
from streaming_app.ingest.write.deduplicate import TaskDeduplicator, drop_repeats_in_request
from streaming_app.ingest.write.day_rows import add_partition_columns
from streaming_app.ingest.write.lineage import Lineage
from streaming_app.lake.files import WrittenFile
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.model.arrow import drop_largest, to_columns
from streaming_app.model.change import Change
from streaming_app.model.columns import columns_of
from streaming_app.model.event import URL
from streaming_app.model.request import Request
from streaming_app.model.tables import CHANGE
from streaming_app.privacy.columns import clean_result

if TYPE_CHECKING:
    from streaming_app.ingest.batch import Batch

_FLUSH_ROWS = 16_384
_COLUMNS = tuple(columns_of(Change))
_encode = msgspec.json.Encoder().encode


class ChangeRows:
    """Collects changes request by request; ``duplicate`` counts copies that lost to one met before."""

    def __init__(self, batch: Batch, task: str) -> None:
        self._batch, self._lineage, self._privacy = batch, Lineage(batch), batch.address_privacy
        self._writer = PartitionWriter(CHANGE, batch.config.table_uri(CHANGE.name), batch.storage, task)
        self._rows: list[tuple[Any, ...]] = []
        self._request_ids: list[str] = []
        self._bytes = 0
        self._copies = TaskDeduplicator()
        self.duplicate = 0

    def add(self, request: Request, changes: list[Change]) -> None:
        """Take the accepted changes of one request."""
        kept = drop_repeats_in_request(changes)
        self.duplicate += len(changes) - len(kept)
        info = self._lineage.of(request)
        first = len(self._rows)
        for change in kept:
            change.ingest_time_msec = request.ingest_time
            clean_result(change, self._privacy, request.ip)
            change.process_info = drop_largest(_encode({**info, **(change.notes or {})}).decode(), URL)[0]
            self._rows.append(msgspec.structs.astuple(change))
        self._bytes += measure(self._rows[first:])
        self._request_ids += [_encode(info["rid"]).decode() if "rid" in info else ""] * len(kept)
        if len(self._rows) >= _FLUSH_ROWS or self._bytes >= BUFFER_BYTES:
            self._flush()

    def close(self) -> list[WrittenFile]:
        self._flush()
        return self._writer.close()

    def _flush(self) -> None:
        if not self._rows:
            return
        rows = pa.table(to_columns(self._rows, _COLUMNS), [column.name for column in _COLUMNS])
        stay = self._copies.keep_mask(rows, self._request_ids)
        self.duplicate += len(stay) - int(stay.sum())
        self._writer.add(add_partition_columns(CHANGE, rows.filter(pa.array(stay)), self._batch.created_ms))
        self._rows, self._request_ids, self._bytes = [], [], 0
