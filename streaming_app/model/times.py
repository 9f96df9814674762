"""Instants as text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def iso_time(epoch_ms: int | None) -> str | None:
    """An instant as ISO 8601 in UTC; the fraction is shown only where there is one."""
    if epoch_ms is None:
        return None
    try:
        moment = datetime.fromtimestamp(epoch_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return str(epoch_ms)
    return f"{moment}.{epoch_ms % 1000:03d}Z" if epoch_ms % 1000 else f"{moment}Z"


def epoch_ms(sent: Any) -> int | None:
    """Epoch milliseconds of an instant in ISO 8601, in UTC where it names no zone; None where it cannot be read.

    >>> epoch_ms("2026-05-28T22:26:40.5+02:00"), epoch_ms("yesterday")
    (1780000000500, None)
    """
    try:
        time = datetime.fromisoformat(sent)
    except (TypeError, ValueError):
        return None
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
