"""Builds the Arrow table that enrichers get from the accepted events of many requests."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.write.rows import estimate_bytes
from streaming_app.model.arrow import Misfits, drop_largest, to_columns
from streaming_app.model.client_text import cut
from streaming_app.model.column_limits import note_misfits
from streaming_app.model.columns import columns_of, json_text, text
from streaming_app.model.event import URL, Event
from streaming_app.model.lineage import LINEAGE, lineage_values
from streaming_app.model.request import Request
from streaming_app.model.tables import EVENT
from streaming_app.privacy.addresses import AddressPrivacy
from streaming_app.privacy.columns import clean_result

_astuple = msgspec.structs.astuple
_encode = msgspec.json.Encoder().encode
_EVENT_COLUMNS = tuple(columns_of(Event))
_KNOWN = {column.name: column for column in EVENT.columns}
_LONGEST_HEADER = 2_048
_AGENT, _ADDRESS = text("user agent", _LONGEST_HEADER), text("address", _LONGEST_HEADER)
_LINEAGE_COLUMNS = tuple(_KNOWN[name] for name in LINEAGE)
_REQUEST_COLUMNS = (*_LINEAGE_COLUMNS, _KNOWN["ingest_time_msec"], _KNOWN["device_ua"], _KNOWN["process_info"], _AGENT, _ADDRESS)
_TRANSIENT = {"ua": _AGENT, "ip": _ADDRESS, "client_hints": json_text("client hints")}
"""Fields of an event that follow its columns, in the order of the class."""


_LARGE_REQUEST = 1_000_000
"""Size of a request's events (bytes) above which the length of each of their texts is checked."""
_TEXTS = [(column.name, column.max_bytes) for column in _EVENT_COLUMNS if column.max_bytes and not column.is_json]


def cut_texts(event: Event) -> None:
    """Cut each text of an event to what its column keeps; JSON text is left to the limits of columns, which drop whole values."""
    for name, max_bytes in _TEXTS:
        text = getattr(event, name)
        if isinstance(text, str) and len(text) > max_bytes:
            setattr(event, name, cut(text, max_bytes))


class EventTable:
    """Buffers events request by request; values that the events of a request share are kept once until :meth:`make`."""

    def __init__(self, project_id: str, privacy: AddressPrivacy | None = None) -> None:
        self._project_id, self._privacy = project_id, privacy or AddressPrivacy()
        self._rows: list[tuple[Any, ...]] = []
        self._requests: list[tuple[Any, ...]] = []
        self._sizes: list[int] = []
        self._infos: dict[int, str] = {}
        self.bytes = 0
        """Approximate memory of the buffered events, bytes."""

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, request: Request, events: list[Event], info: dict[str, Any]) -> list[str]:
        """Add the events of one request; ``info`` is its lineage. Returns each event's ``process_info``.

        Events with a user agent or address of their own ("" if unknown) were forwarded by a server: the request's agent and
        address are that server's, not the user's, so ``source_ip`` is left out.
        """
        if events and events[0].ip is not None:
            info = {key: value for key, value in info.items() if key != "source_ip"}
        if self._privacy.mode != "keep":  # addresses among the parameters, such as GTM's ip_override
            for event in events:
                clean_result(event, self._privacy, event.ip or request.ip)
        shared = _encode(info).decode()
        infos = [shared] * len(events)
        rows = self._to_rows(events)
        for position, event in enumerate(events):
            if event.notes:
                infos[position] = drop_largest(_encode({**info, **event.notes}).decode(), URL)[0]
                self._infos[len(self._rows) + position] = infos[position]
        self._rows += rows
        # Values of the request are repeated in each of its events, so their length is bounded first.
        ua = request.ua and request.ua[:_LONGEST_HEADER]
        agent = _encode({"string": ua}).decode() if ua else None
        # The end of the address list was written by our own proxies; the client can make its beginning arbitrarily long.
        address = request.ip and request.ip[-_LONGEST_HEADER:]
        self._requests.append((*lineage_values(info), request.ingest_time, agent, shared, ua, address))
        self.bytes += len(events) * (len(shared) + len(agent or "") + len(ua or "") + len(address or ""))
        self._sizes.append(len(events))
        return infos

    def _to_rows(self, events: list[Event]) -> list[tuple[Any, ...]]:
        """The events as rows, their size added to :attr:`bytes`; text far too long for its column is cut first."""
        rows = [_astuple(event) for event in events]
        size = estimate_bytes(rows)
        if size > _LARGE_REQUEST:
            for event in events:
                cut_texts(event)
            rows = [_astuple(event) for event in events]
            size = estimate_bytes(rows)
        self.bytes += size
        return rows

    def make(self) -> pa.Table:
        """The table of the buffered events, in order; the buffer is empty afterwards."""
        misfits: Misfits = []
        arrays = to_columns(self._rows, (*_EVENT_COLUMNS, *_TRANSIENT.values()), misfits)
        table = dict(zip([*(column.name for column in _EVENT_COLUMNS), *_TRANSIENT], arrays, strict=True))
        which = pa.array(np.repeat(np.arange(len(self._sizes)), self._sizes))
        arrays = [array.take(which) for array in to_columns(self._requests, _REQUEST_COLUMNS)]
        table |= zip(LINEAGE, arrays, strict=False)
        ingest, agent, info, ua, ip = arrays[len(LINEAGE) :]
        table["ingest_time_msec"], table["process_info"] = ingest, self._with_own_infos(info)
        agent = pc.if_else(pc.is_null(table["ua"]), agent, None)
        table["device_ua"] = pc.coalesce(table["device_ua"], agent)
        table["ua"], table["ip"] = pc.coalesce(table["ua"], ua), pc.coalesce(table["ip"], ip)
        note_misfits(table, misfits)
        table["project_id"] = pa.repeat(self._project_id, len(self._rows))
        self._rows, self._requests, self._sizes, self._infos = [], [], [], {}
        self.bytes = 0
        return pa.table(table)

    def _with_own_infos(self, infos: pa.Array) -> pa.Array:
        """The lineage of each event: that of its request, with the event's own notes if it has any."""
        if not self._infos:
            return infos
        mask = np.zeros(len(infos), dtype=bool)
        mask[list(self._infos)] = True
        return pc.replace_with_mask(infos, mask, pa.array(self._infos.values(), pa.string()))
