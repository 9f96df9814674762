"""What Spark 4.1 writes into the checkpoint of a file source."""

from __future__ import annotations

import json
from collections.abc import Iterable

COMMIT = b'v1\n{"nextBatchWatermarkMs":0}'
"""``commits/B``."""


def file_log(entries: Iterable[tuple[str, int]]) -> bytes:
    """``sources/0/N`` or ``N.compact``: URI and batch of each file."""
    lines = (json.dumps({"path": uri, "timestamp": 1_780_000_000_000, "batchId": batch}) for uri, batch in entries)
    return "\n".join(["v1", *lines]).encode()


def offset_log(log_offset: int) -> bytes:
    """``offsets/B``: what a batch reads up to."""
    return b'v1\n{"batchWatermarkMs":0,"batchTimestampMs":1780000000000,"conf":{}}\n{"logOffset":%d}' % log_offset
