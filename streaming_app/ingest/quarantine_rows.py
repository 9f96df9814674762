"""What could not be used, with its reason, its raw text and where it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from streaming_app.ingest.run_plugin import raw_elements
from streaming_app.model.arrow import as_timestamp, to_columns
from streaming_app.model.request import Request
from streaming_app.model.shorten import cut
from streaming_app.model.tables import QUARANTINE
from streaming_app.tables.files import WrittenFile
from streaming_app.tables.parquet import PartitionWriter
from streaming_app.transformers.base import Rejected

if TYPE_CHECKING:
    from streaming_app.ingest.batch import Batch

_FLUSH_BYTES = 32_000_000
_COLUMNS = QUARANTINE.columns[:-3]  # created_time is the same for all, and nothing is resolved yet


class QuarantineRows:
    """Collects rejected elements; ``by_reason`` counts them."""

    def __init__(self, batch: Batch, task: str) -> None:
        self._batch, self._privacy = batch, batch.address_privacy
        self._writer = PartitionWriter(QUARANTINE, batch.config.table_uri("quarantine"), batch.storage, task)
        self._rows: list[tuple[Any, ...]] = []
        self._bytes = 0
        self._parts: tuple[Request | None, list[str]] = (None, [])
        self.by_reason: dict[str, int] = {}

    def add(self, request: Request, rejected: Rejected, stage: str, raw: str | None = None) -> None:
        """Keep one rejected element; ``raw`` is looked up in the request's payload where it is not given."""
        reason = str(rejected.reason)
        self.by_reason[reason] = self.by_reason.get(reason, 0) + 1
        whole_line = raw is not None
        text = self._privacy.scrub(raw if raw is not None else self._raw(request, rejected.position))
        text = cut(_storable(text), self._max_bytes)
        self._rows.append(
            (
                reason,
                stage,
                rejected.error_class,
                _storable(rejected.message),
                text,
                None if whole_line else self._envelope(request, rejected.position),
                request.app_id,
                request.source_file,
                request.source_line,
                request.ingest_time,
                self._batch.batch_id,
            )
        )
        self._bytes += len(text)
        if self._bytes >= _FLUSH_BYTES:
            self._flush()

    def close(self) -> list[WrittenFile]:
        self._flush()
        return self._writer.close()

    @property
    def _max_bytes(self) -> int:
        return self._batch.config.limits.max_quarantine_bytes

    def _raw(self, request: Request, position: int | None) -> str:
        """The element's own text, or the payload where it has no position; a request is split only once."""
        if position is None:
            return request.data or ""
        if self._parts[0] is not request:
            self._parts = (request, raw_elements(request, self._batch.config.limits.max_payload_bytes))
        at = position - request.first_position
        return self._parts[1][at] if 0 <= at < len(self._parts[1]) else request.data or ""

    def _envelope(self, request: Request, position: int | None) -> str:
        """The request without its payload: with an element's raw text, which knows its position, it makes the request again."""
        own = {"ip": self._privacy.apply(request.ip), "first_position": position or request.first_position}
        fields = msgspec.to_builtins(request) | own
        kept = {key: value for key, value in fields.items() if key != "data" and value is not None}
        return _storable(msgspec.json.encode(kept).decode())

    def _flush(self) -> None:
        if not self._rows:
            return
        arrays = to_columns(self._rows, _COLUMNS)
        created = as_timestamp(pa.repeat(pa.scalar(self._batch.created_ms, pa.int64()), len(self._rows)))
        nothing = (pa.nulls(len(self._rows), field.type) for field in list(QUARANTINE.schema)[-2:])
        self._writer.add(pa.table([*arrays, created, *nothing], schema=QUARANTINE.schema))
        self._rows, self._bytes = [], 0


def _storable(text: str) -> str:
    """Text that is valid UTF-8: a lone surrogate is shown by its escape."""
    return text.encode("utf-8", "backslashreplace").decode()
