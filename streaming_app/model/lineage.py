"""Lineage of stored rows: the request, raw file and line of each, corrections, and the job that wrote it.

This is the only module that knows how lineage is stored: as JSON text in the column ``process_info``. :class:`LineageWriter`
writes it; the readers below extract single values from the text of many rows at once. They search the text instead of parsing
it, and rely on two properties that the writer and all later steps preserve: ``rid`` is the first key, and ``input_file_line``
follows ``input_file_name``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.model.client_text import cut
from streaming_app.model.request import Request
from streaming_app.model.times import iso_time

ID_BYTES = 255
"""Maximum bytes of a request id and of an address in the lineage."""

_SOURCE_FILE = r'"input_file_name":"(?P<found>(?:[^"\\]|\\.)*)"'
_SOURCE_POSITION = r'"input_file_name":"(?P<found>(?:[^"\\]|\\.)*","input_file_line":\d+)'
_REQUEST_ID = r'^\{"rid":(?P<found>"(?:[^"\\]|\\.)*")'


class LineageWriter:
    """Writes the lineage of requests for one job.

    ``created_ms`` is when the job began to write, epoch ms; ``private_address`` returns the storable form of a client's address.
    """

    def __init__(self, job_id: str, created_ms: int, private_address: Callable[[str | None], str | None]) -> None:
        self._private_address = private_address
        self._job = {"process_job_id": job_id, "process_time": iso_time(created_ms)}

    def of(self, request: Request) -> dict[str, Any]:
        """The lineage of a request: the reference system's keys of ``process_info``, and the line, without unknown values."""
        address = self._private_address(request.ip)
        info: dict[str, Any] = {}  # key by key: with a few events a request, a comprehension costs 2 µs more, of 60
        if request.rid is not None:
            info["rid"] = cut(request.rid, ID_BYTES)
        if request.ingest_time is not None:
            info["ingest_time"] = iso_time(request.ingest_time)
        if request.upload_time is not None:
            info["upload_time"] = iso_time(request.upload_time)
        if address is not None:
            info["source_ip"] = address[-ID_BYTES:]  # clients control the beginning of this header
        if request.source_file is not None:
            info["input_file_name"], info["input_file_line"] = request.source_file, request.source_line
        if request.unreadable:
            info["unreadable_request"] = request.unreadable
        if request.repaired:
            info["repaired_request"] = request.repaired
        info.update(self._job)
        return info


def request_id_of(info: dict[str, Any]) -> str:
    """The request id in the lineage of one request, in the form of :func:`request_ids`."""
    return msgspec.json.encode(info["rid"]).decode() if "rid" in info else ""


def source_files(process_info: pa.ChunkedArray) -> pa.ChunkedArray:
    """The raw file of each row; "" if its lineage has none."""
    found = _extract(process_info, _SOURCE_FILE)
    if not pc.any(pc.match_substring(found, "\\")).as_py():
        return found
    escaped = pc.unique(found)
    names = pa.array([msgspec.json.decode(f'"{name}"', type=str) for name in escaped.to_pylist()], pa.string())
    return pc.take(names, pc.index_in(found, escaped))


def source_positions(process_info: pa.ChunkedArray) -> pa.ChunkedArray:
    """Raw file and line of each row as one text, for comparison only: within one line an event id occurs once."""
    return _extract(process_info, _SOURCE_POSITION)


def request_ids(process_info: pa.ChunkedArray) -> pa.ChunkedArray:
    """The request id of each row as JSON text, quotes included; "" if it has none."""
    return _extract(process_info, _REQUEST_ID)


def _extract(process_info: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    return pc.fill_null(pc.struct_field(pc.extract_regex(process_info, pattern), "found"), "")
