"""Writes rejected elements and lines to Parquet files: rows of the table ``quarantine``, with reason, raw text and source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from streaming_app.ingest.transform.run_plugin import raw_elements
from streaming_app.ingest.write.rows import BUFFER_BYTES
from streaming_app.lake.files import DataFile
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.rows import conform_to_schema
from streaming_app.model.arrow import as_timestamp, day_received, to_columns
from streaming_app.model.client_text import cut, storable
from streaming_app.model.event import LONG
from streaming_app.model.request import Request
from streaming_app.model.tables import QUARANTINE
from streaming_app.plugins.registry import make_limits
from streaming_app.plugins.transformer import Rejected
from streaming_app.privacy.columns import clean_json, clean_payload, clean_text, clean_uri

if TYPE_CHECKING:
    from streaming_app.ingest.batch import Batch

_COLUMNS = QUARANTINE.columns[: QUARANTINE.schema.names.index("created_time")]
"""Columns of a buffered row; those that follow are the same for all rows, null while no row is resolved, or follow from these."""
_LISTED = 100
"""Maximum number of rows for elements of one request rejected for the same reason; one more row counts the others."""
_ENVELOPE_BYTES = 2_048
"""Maximum length of each text in the envelope; longer texts are complete in the raw line only."""
_ENVELOPE_TEXTS = ("uri", "ua", "rid", "app_id")

_Row = tuple[Any, ...]


class QuarantineRows:
    """Buffers rejected elements and lines and writes them; ``by_reason`` counts them."""

    def __init__(self, batch: Batch, task: str) -> None:
        self._batch, self._privacy = batch, batch.address_privacy
        self._writer = PartitionWriter(QUARANTINE, batch.config.table_uri("quarantine"), batch.storage, task)
        self._rows: list[_Row] = []
        self._elements: list[int | None] = []
        self._bytes = 0
        self._parts: tuple[Request | None, list[str]] = (None, [])
        self._payload: tuple[Request | None, str, bool] = (None, "", True)
        self.by_reason: dict[str, int] = {}

    def add_rejected(self, request: Request, rejected: Sequence[tuple[Rejected, str]]) -> None:
        """Add the rejected elements of a request, each with the stage that refused it.

        If there are more than :data:`_LISTED` for one reason, the others share a row with the whole payload and their number.
        """
        groups: dict[tuple[str, ...], list[Rejected]] = {}
        for each, stage in rejected:
            groups.setdefault((stage, str(each.reason), each.error_class or ""), []).append(each)
        for (stage, *_), members in groups.items():
            for each in members[:_LISTED]:
                raw, is_whole = self._raw(request, each.position)
                self._add(request, each, stage, raw, self._envelope(request, each.position, is_whole=is_whole))
            if others := members[_LISTED:]:
                first = others[0]
                message = f"{len(others)} more elements of this request, such as element {first.position}: {first.message}"
                common = Rejected(first.reason, message, None, first.error_class)
                raw, is_whole = self._raw(request, None)
                self._add(request, common, stage, raw, self._envelope(request, None, is_whole=is_whole), len(others))

    def add_line(self, request: Request, rejected: Rejected, stage: str, raw: str) -> None:
        """Add a line that is not a readable request; ``request`` has its file and line only."""
        self._add(request, rejected, stage, clean_text(raw, self._privacy)[0], None)

    def _add(
        self, request: Request, rejected: Rejected, stage: str, raw: str, envelope: str | None, elements: int | None = None
    ) -> None:
        reason = str(rejected.reason)
        self.by_reason[reason] = self.by_reason.get(reason, 0) + (elements or 1)
        text = cut(storable(raw), self._max_bytes)
        row = (
            reason,
            stage,
            rejected.error_class,
            cut(storable(self._privacy.clean(rejected.message, request.ip)), LONG),
            text,
            envelope,
            request.app_id and self._privacy.clean(request.app_id, request.ip),
            request.source_file,
            request.source_line,
            request.ingest_time,
            self._batch.batch_id,
        )
        self._rows.append(row)
        self._elements.append(elements)
        self._bytes += _ROW_BYTES + sum(len(each) for each in row if isinstance(each, str))
        if self._bytes >= BUFFER_BYTES:
            self._flush()

    def close(self) -> list[DataFile]:
        self._flush()
        return self._writer.close()

    @property
    def _max_bytes(self) -> int:
        return self._batch.config.limits.max_quarantine_bytes

    def _raw(self, request: Request, position: int | None) -> tuple[str, bool]:
        """The raw text of an element, or the payload if there is no position, and whether it is complete.

        A request is split into its elements only once, however many of them are rejected.
        """
        if position is not None:
            if self._parts[0] is not request:
                self._parts = (request, raw_elements(request, self._batch.config.limits.max_payload_bytes))
            at = position - request.first_position
            if 0 <= at < len(self._parts[1]):
                return clean_json(self._parts[1][at], self._privacy, request.ip)
        if self._payload[0] is not request:
            bounds = make_limits(self._batch.config.limits)
            self._payload = (request, *clean_payload(request, self._privacy, bounds))
        return self._payload[1:]

    def _envelope(self, request: Request, position: int | None, *, is_whole: bool) -> str:
        """The request without its payload, as JSON: ``replay`` rebuilds the request from it and an element's raw text.

        ``cut`` is set if a text in it, or the raw text, is incomplete.
        """
        fields = msgspec.to_builtins(request) | {"first_position": position or request.first_position}
        fields["ip"] = (self._privacy.apply(request.ip) or "")[-_ENVELOPE_BYTES:] or None
        for name in _ENVELOPE_TEXTS:
            fields[_WIRE_NAMES[name]] = text = self._private(request, name)
            if text is not None and len(text) > _ENVELOPE_BYTES:
                # What is read from a URI must not depend on where it was truncated.
                fields |= {_WIRE_NAMES[name]: cut(text, _ENVELOPE_BYTES), "cut": True, "upload_timestamp": request.upload_time}
        if not is_whole:
            fields["cut"] = True
        kept = {key: value for key, value in fields.items() if key != "data" and value is not None and value is not False}
        return storable(msgspec.json.encode(kept).decode())

    def _private(self, request: Request, name: str) -> str | None:
        text: str | None = getattr(request, name)
        if text is None or self._privacy.mode == "keep":
            return text
        return clean_uri(text, self._privacy, request.ip) if name == "uri" else self._privacy.clean(text, request.ip)

    def _flush(self) -> None:
        if not self._rows:
            return
        arrays = to_columns(self._rows, _COLUMNS)
        rows = pa.table(dict(zip((column.name for column in _COLUMNS), arrays, strict=True)))
        rows = rows.append_column("created_time", as_timestamp(pa.repeat(self._batch.created_ms, len(rows))))
        rows = rows.append_column("elements", pa.array(self._elements, pa.int64()))
        rows = rows.append_column("ingest_date", day_received(rows["ingest_time_msec"], rows["created_time"]))
        self._writer.add(conform_to_schema(rows, QUARANTINE.schema))
        self._rows, self._elements, self._bytes = [], [], 0


_ROW_BYTES = 500
"""Approximate size of a buffered row without its text, bytes."""
_WIRE_NAMES = dict(zip(Request.__struct_fields__, Request.__struct_encode_fields__, strict=True))
