"""The latency of events: their age when they reach the tables, as a histogram that tasks can add up."""

from __future__ import annotations

import math
from collections import Counter

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

STEP = 1.05
"""Ratio of neighbouring steps of the histogram: quantiles are exact within 5 %."""

LATE_MS = 3_600_000
"""Time from event to server, above which an event is late: its hour may already have been queried."""


class LatencyHistogram(msgspec.Struct):
    """Number of events by logarithmic step of their age (s); ``oldest_ms`` is the largest age, ``late`` counts late events."""

    steps: dict[int, int] = msgspec.field(default_factory=dict)
    oldest_ms: int = 0
    late: int = 0

    def observe(self, events: pa.Table, now_ms: int) -> None:
        """Count events by ``event_time_msec`` and ``ingest_time_msec``; their age is that at ``now_ms``."""
        happened = events["event_time_msec"]
        latency = np.maximum(now_ms - happened.to_numpy(), 1_000)
        steps, counts = np.unique(np.ceil(np.log(latency / 1_000) / math.log(STEP)).astype(int), return_counts=True)
        late = pc.sum(pc.greater(pc.subtract(events["ingest_time_msec"], happened), LATE_MS)).as_py() or 0
        self.merge(LatencyHistogram(dict(zip(steps.tolist(), counts.tolist(), strict=True)), int(latency.max(initial=0)), late))

    def merge(self, other: LatencyHistogram) -> None:
        """Add the counts of another histogram."""
        self.steps = dict(Counter(self.steps) + Counter(other.steps))
        self.oldest_ms = max(self.oldest_ms, other.oldest_ms)
        self.late += other.late

    def quantile(self, share: float) -> float | None:
        """The age in seconds that this share of the events does not exceed; None if there are no events."""
        wanted, seen = share * sum(self.steps.values()), 0
        for step, count in sorted(self.steps.items()):
            seen += count
            if seen >= wanted:
                return float(STEP**step)
        return None
