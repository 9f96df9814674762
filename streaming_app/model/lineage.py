"""Lineage of stored rows: the request, raw file and line of each, corrections, and the job that wrote it.

This is the only module that knows how lineage is stored in ``event``, ``item`` and ``change``: as the columns :data:`LINEAGE`,
for programs, and as JSON text in the column ``process_info``, with all the rest, for people. :class:`LineageWriter` writes both.

Rows of table layouts 1 and 2 have the text only. For them the readers below search the text instead of parsing it, and rely on
two properties that every writer preserved: ``rid`` is the first key, and ``input_file_line`` follows ``input_file_name``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.model.client_text import cut
from streaming_app.model.request import Request
from streaming_app.model.times import iso_time

ID_BYTES = 255
"""Maximum bytes of a request id and of an address in the lineage."""

LINEAGE = ("request_id", "source_file", "source_line")
"""Columns of the lineage. In rows of this layout ``source_file`` is never null; ``request_id`` is, where a request has none."""
LINEAGE_COLUMNS = (*LINEAGE, "process_info")
"""Columns that the readers need of rows of any layout; see :func:`streaming_app.lake.rows.lineage_columns` to read fewer."""

_TEXT = r'(?:[^"\\]|\\.)*'
_REQUEST_ID = rf'^\{{"rid":"(?P<request_id>{_TEXT})"'
_SOURCE = rf'"input_file_name":"(?P<source_file>{_TEXT})","input_file_line":(?P<source_line>\d{{1,18}})[,}}]'


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


def lineage_values(info: dict[str, Any]) -> tuple[str | None, str, int | None]:
    """The values of :data:`LINEAGE` in the lineage of one request."""
    return info.get("rid"), info.get("input_file_name", ""), info.get("input_file_line")


class Lineage(NamedTuple):
    """The lineage of some rows, in a form that is equal for equal lineage, whatever layout the rows are of."""

    request_ids: pa.ChunkedArray
    """The id of each row's request; "" if it has none."""
    source_positions: pa.ChunkedArray
    """Raw file and line of each row as one text, for comparison only: within one line an event id occurs once."""


def read_lineage(rows: pa.Table) -> Lineage:
    """Request ids and source positions of rows that have the columns :data:`LINEAGE_COLUMNS`."""
    request_id, source_file, source_line = _read(rows).columns
    positions = pc.binary_join_element_wise(source_file, source_line.cast(pa.string()), "\n")
    return Lineage(pc.fill_null(request_id, ""), pc.fill_null(positions, ""))


def read_source_files(rows: pa.Table) -> pa.ChunkedArray:
    """The raw file of each row that has the columns :data:`LINEAGE_COLUMNS`; "" if it is not known."""
    return pc.fill_null(_read(rows)["source_file"], "")


def complete_lineage(rows: pa.Table) -> pa.Table:
    """Fill the columns :data:`LINEAGE` of rows of an older layout from ``process_info``; other rows stay as they are."""
    found = _read(rows)
    for name in LINEAGE:
        if name in rows.column_names:
            rows = rows.set_column(rows.column_names.index(name), found.schema.field(name), found[name])
        else:
            rows = rows.append_column(found.schema.field(name), found[name])
    return rows


_SCHEMA = pa.schema([("request_id", pa.string()), ("source_file", pa.string()), ("source_line", pa.int64())])


def _read(rows: pa.Table) -> pa.Table:
    """The columns of the lineage: as they are stored, or from ``process_info`` where an older layout did not have them."""
    if any(name not in rows.column_names for name in LINEAGE):
        return _from_text(rows["process_info"].cast(pa.string()))  # which may be dictionary-encoded
    stored = rows.select(LINEAGE).cast(_SCHEMA)
    if not stored["source_file"].null_count:
        return stored
    # An OPTIMIZE of another program may have merged files of both kinds.
    is_old = pc.is_null(stored["source_file"]).combine_chunks()
    found = _from_text(rows["process_info"].filter(is_old).cast(pa.string()))
    columns = [pc.replace_with_mask(stored[name].combine_chunks(), is_old, found[name].combine_chunks()) for name in LINEAGE]
    return pa.table(columns, _SCHEMA)


def _from_text(process_info: pa.ChunkedArray) -> pa.Table:
    """The columns of the lineage from its text. The events of a request share their text: each one is searched once."""
    distinct = pa.chunked_array([pc.unique(process_info)], pa.string())
    source = pc.extract_regex(distinct, _SOURCE)
    columns = [
        _unescape(pc.struct_field(pc.extract_regex(distinct, _REQUEST_ID), "request_id")),
        _unescape(pc.struct_field(source, "source_file")),
        pc.struct_field(source, "source_line").cast(pa.int64()),
    ]
    index = pc.index_in(process_info, distinct.combine_chunks())
    return pa.table([column.take(index) for column in columns], schema=_SCHEMA)


def _unescape(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The texts without the escapes of JSON."""
    if not pc.any(pc.match_substring(texts, "\\")).as_py():
        return texts
    plain = [None if text is None else msgspec.json.decode(f'"{text}"', type=str) for text in texts.to_pylist()]
    return pa.chunked_array([pa.array(plain, pa.string())])
