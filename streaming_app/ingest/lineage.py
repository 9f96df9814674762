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
        info = {
            "rid": request.rid and cut(request.rid, ID_BYTES),
            "ingest_time": iso_time(request.ingest_time),
            "upload_time": iso_time(request.upload_time),
            "source_ip": address and address[-ID_BYTES:],  # a header that clients can fill, from its beginning
            "input_file_name": request.source_file,
            "input_file_line": request.source_line,
        }
        return {key: value for key, value in info.items() if value is not None} | self._job
