"""Requests as raw lines: what the ingestion endpoint knows of one, under the names and in the types that it writes."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import msgspec

from streaming_app.demo.request import DemoRequest


def raw_line(request: DemoRequest, rng: Random) -> tuple[bytes, int]:
    """The line, and the bytes of JSON that the pipeline can decode from it."""
    payload = request.payload()
    envelope = request.envelope(request.data or request.pack_payload(payload))
    second, millisecond = divmod(request.received_ms, 1_000)
    shown = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    rid, nanoseconds = request.stamp(rng)
    own = {
        "appId": request.app_id,
        "date": f"{shown}+00:00",
        "fakeIp": None,
        "ingest_time": second * 1_000,
        "ip": request.address,
        "path": "/collect",
        "rid": rid,
        "server_ingest_time": second * 1_000,
        "source_type": "http_server",
        "timestamp": f"{shown}.{millisecond:03d}{nanoseconds:06d}Z",
    }
    line = msgspec.json.encode(own | envelope, order="sorted")
    if request.is_cut:
        return line[: len(line) // 2], 0
    return line, 0 if request.data else len(payload)
