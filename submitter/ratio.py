"""The compression ratio of raw files, as the last micro-batches measured it.

A micro-batch adds a file with one row to ``run_metrics``, so the statistics in its Delta log are the values themselves: the
log's newest commits have them without a reader of Parquet in the Lambda. The files of a compaction have more rows: they are
passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from streaming_app.storage.objects import Objects

DEFAULT = 10.0
"""JSON of clickstream requests, gzipped: 8 to 14."""

NEWEST_BATCHES = 20
"""Number of micro-batches that are read."""


def compression_ratio(objects: Objects, run_metrics_uri: str) -> float:
    """Decoded bytes per stored byte; :data:`DEFAULT` before the first batch."""
    sizes = list(_sizes(objects, f"{run_metrics_uri}/_delta_log"))
    stored, decoded = (sum(column) for column in zip(*sizes, strict=True)) if sizes else (0, 0)
    return decoded / stored if stored and decoded else DEFAULT


def _sizes(objects: Objects, log: str) -> Iterator[tuple[int, int]]:
    """Stored and decoded bytes of the newest micro-batches."""
    commits = sorted(
        each.uri for each in objects.list_directory(log) if each.name.endswith(".json") and each.name[:-5].isdecimal()
    )
    for uri in commits[-NEWEST_BATCHES:]:
        for line in objects.lines(uri):
            added = json.loads(line).get("add") if line else None
            if not added or not added.get("dataChange", True):
                continue
            smallest = json.loads(added.get("stats") or "{}").get("minValues", {})
            if "bytes" in smallest and "decoded_bytes" in smallest:
                yield smallest["bytes"], smallest["decoded_bytes"]
