"""Writes accepted changes of attributes to Parquet files: rows of the table ``change``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from streaming_app.ingest.write.rows import BUFFER_BYTES, add_partition_columns, estimate_bytes
from streaming_app.ingest.write.task_deduplicator import COMPARED, TaskDeduplicator, drop_repeats_in_request
from streaming_app.lake.files import DataFile
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.model.arrow import drop_largest, to_columns
from streaming_app.model.change import Change
from streaming_app.model.columns import columns_of
from streaming_app.model.event import URL
from streaming_app.model.lineage import LINEAGE, lineage_values
from streaming_app.model.request import Request
from streaming_app.model.tables import CHANGE
from streaming_app.privacy.columns import clean_result

if TYPE_CHECKING:
    from streaming_app.ingest.batch import Batch

_FLUSH_ROWS = 16_384
_KNOWN = {column.name: column for column in CHANGE.columns}
_COLUMNS = (*columns_of(Change), *(_KNOWN[name] for name in LINEAGE))
_FIELDS = len(_COLUMNS) - len(LINEAGE)
"""Number of fields of a change that are columns; those that follow are not stored."""
_encode = msgspec.json.Encoder().encode


class ChangeRows:
    """Buffers changes request by request and writes them; ``duplicate`` counts those left out as duplicates of an earlier one."""

    def __init__(self, batch: Batch, task: str) -> None:
        self._batch, self._lineage, self._privacy = batch, batch.make_lineage_writer(), batch.address_privacy
        self._writer = PartitionWriter(CHANGE, batch.config.table_uri(CHANGE.name), batch.storage, task)
        self._rows: list[tuple[Any, ...]] = []
        self._bytes = 0
        self._deduplicator = TaskDeduplicator()
        self.duplicate = 0

    def add(self, request: Request, changes: list[Change]) -> None:
        """Add the accepted changes of one request."""
        kept = drop_repeats_in_request(changes)
        self.duplicate += len(changes) - len(kept)
        info = self._lineage.of(request)
        lineage = lineage_values(info)
        first = len(self._rows)
        for change in kept:
            change.ingest_time_msec = request.ingest_time
            clean_result(change, self._privacy, request.ip)
            change.process_info = drop_largest(_encode({**info, **(change.notes or {})}).decode(), URL)[0]
            self._rows.append((*msgspec.structs.astuple(change)[:_FIELDS], *lineage))
        self._bytes += estimate_bytes(self._rows[first:])
        if len(self._rows) >= _FLUSH_ROWS or self._bytes >= BUFFER_BYTES:
            self._flush()

    def close(self) -> list[DataFile]:
        """Write the buffered rows; returns all files."""
        self._flush()
        return self._writer.close()

    def _flush(self) -> None:
        if not self._rows:
            return
        rows = pa.table(to_columns(self._rows, _COLUMNS), [column.name for column in _COLUMNS])
        keep = self._deduplicator.keep_mask(rows.select(COMPARED))
        self.duplicate += len(keep) - int(keep.sum())
        self._writer.add(add_partition_columns(CHANGE, rows.filter(pa.array(keep)), self._batch.created_ms))
        self._rows, self._bytes = [], 0
