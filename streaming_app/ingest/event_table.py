"""Accepted events of many requests, as one Arrow table: what the enrichers are given."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.enrichers.addresses import AddressPrivacy
from streaming_app.model.arrow import drop_largest, to_columns
from streaming_app.model.columns import columns_of, json_text, text
from streaming_app.model.event import URL, Event
from streaming_app.model.request import Request
from streaming_app.model.tables import EVENT

_astuple = msgspec.structs.astuple
_encode = msgspec.json.Encoder().encode
_EVENT_COLUMNS = tuple(columns_of(Event))
_KNOWN = {column.name: column for column in EVENT.columns}
_LONGEST_HEADER = 2_048
_AGENT, _ADDRESS = text("user agent", _LONGEST_HEADER), text("address", _LONGEST_HEADER)
_REQUEST_COLUMNS = (_KNOWN["ingest_time_msec"], _KNOWN["device_ua"], _KNOWN["process_info"], _AGENT, _ADDRESS)
_TRANSIENT = {"ua": _AGENT, "ip": _ADDRESS, "client_hints": json_text("client hints")}
"""Fields of an event that follow its columns, in the order of the class."""


class EventTable:
    """Collects events request by request; what the events of a request share is kept once until :meth:`make`."""

    def __init__(self, project_id: str, privacy: AddressPrivacy | None = None) -> None:
        self._project_id, self._privacy = project_id, privacy or AddressPrivacy()
        self._rows: list[tuple[Any, ...]] = []
        self._requests: list[tuple[Any, ...]] = []
        self._sizes: list[int] = []
        self._infos: dict[int, str] = {}
        self.request_ids: list[str] = []
        """Of each event's request, as JSON text, "" where it has none: tells copies of an event apart."""

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, request: Request, events: list[Event], info: dict[str, Any]) -> list[str]:
        """Take the events of one request; ``info`` is its lineage. Returns each event's ``process_info``.

        Events that have an agent or address of their own, "" for none known, came by way of a server: the request's, which
        that server sent, are not the user's, and its ``source_ip`` is left out.
        """
        if events and events[0].ip is not None:
            info = {key: value for key, value in info.items() if key != "source_ip"}
        if self._privacy.mode != "keep":  # addresses among the parameters, such as GTM's ip_override
            for event in events:
                if event.custom_parameters_json_str:
                    event.custom_parameters_json_str = self._privacy.scrub(event.custom_parameters_json_str)
        shared = _encode(info).decode()
        infos = [shared] * len(events)
        for place, event in enumerate(events):
            if event.notes:
                infos[place] = drop_largest(_encode({**info, **event.notes}).decode(), URL)[0]
                self._infos[len(self._rows)] = infos[place]
            self._rows.append(_astuple(event))
        agent = _encode({"string": request.ua}).decode() if request.ua else None
        # The end of a list of addresses is what our own proxies wrote; its beginning is the client's, of any length.
        address = request.ip and request.ip[-_LONGEST_HEADER:]
        self._requests.append((request.ingest_time, agent, shared, request.ua, address))
        self._sizes.append(len(events))
        self.request_ids += [_encode(info["rid"]).decode() if "rid" in info else ""] * len(events)
        return infos

    def make(self) -> pa.Table:
        """The events so far, in order; then it is empty again."""
        arrays = to_columns(self._rows, (*_EVENT_COLUMNS, *_TRANSIENT.values()))
        table = dict(zip([*(column.name for column in _EVENT_COLUMNS), *_TRANSIENT], arrays, strict=True))
        which = pa.array(np.repeat(np.arange(len(self._sizes)), self._sizes))
        ingest, agent, info, ua, ip = (array.take(which) for array in to_columns(self._requests, _REQUEST_COLUMNS))
        table["ingest_time_msec"], table["process_info"] = ingest, self._with_own_infos(info)
        agent = pc.if_else(pc.is_null(table["ua"]), agent, None)
        table["device_ua"] = pc.coalesce(table["device_ua"], agent)
        table["ua"], table["ip"] = pc.coalesce(table["ua"], ua), pc.coalesce(table["ip"], ip)
        table["project_id"] = pa.repeat(self._project_id, len(self._rows))
        self._rows, self._requests, self._sizes, self._infos, self.request_ids = [], [], [], {}, []
        return pa.table(table)

    def _with_own_infos(self, infos: pa.Array) -> pa.Array:
        """The lineage of each event: that of its request unless it has something of its own to tell."""
        if not self._infos:
            return infos
        mask = np.zeros(len(infos), dtype=bool)
        mask[list(self._infos)] = True
        return pc.replace_with_mask(infos, mask, pa.array(self._infos.values(), pa.string()))
