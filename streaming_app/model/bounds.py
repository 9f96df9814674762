"""Bounds of the numbers that clients send. What lies outside is null, clamped or refused where it enters, so that no later step,
and no reader of the tables, meets a time or a duration that it cannot hold.
"""

from __future__ import annotations

LATEST_MS = 7_258_118_399_999
"""2199-12-31, the last millisecond that is taken for a time; the first is 0, 1970-01-01 (epoch ms, UTC)."""

DAY_MS = 86_400_000
"""A day, and the longest duration or engaged time that one event can tell of."""

INT64 = range(-(2**63), 2**63)


def is_time(epoch_ms: int) -> bool:
    """Whether a number is taken for a time: between 1970 and 2199."""
    return 0 <= epoch_ms <= LATEST_MS
