"""Lineage of a request, for ``process_info``: where it came from, what the server knew of it, which job processed it."""

from __future__ import annotations

from typing import Any

from streaming_app.ingest.batch import Batch
from streaming_app.model.request import Request
from streaming_app.model.shorten import cut
from streaming_app.model.times import iso_time

ID_BYTES = 255


class Lineage:
    """Makes lineage for the requests of one micro-batch."""

    def __init__(self, batch: Batch) -> None:
        self._privacy = batch.address_privacy
        self._job = {"process_job_id": batch.job_id, "process_time": iso_time(batch.created_ms)}

    def of(self, request: Request) -> dict[str, Any]:
        """Keys of the reference system's ``process_info``, and the line in the file; what is not known is left out."""
        address = self._privacy.apply(request.ip)
        info: dict[str, Any] = {}  # key by key: at a few events a request a comprehension costs 2 µs more, of 60
        if request.rid is not None:
            info["rid"] = cut(request.rid, ID_BYTES)
        if request.ingest_time is not None:
            info["ingest_time"] = iso_time(request.ingest_time)
        if request.upload_time is not None:
            info["upload_time"] = iso_time(request.upload_time)
        if address is not None:
            info["source_ip"] = address[-ID_BYTES:]  # a header that clients can fill, from its beginning
        if request.source_file is not None:
            info["input_file_name"], info["input_file_line"] = request.source_file, request.source_line
        if request.unreadable:
            info["unreadable_request"] = request.unreadable
        if request.repaired:
            info["repaired_request"] = request.repaired
        info.update(self._job)
        return info
