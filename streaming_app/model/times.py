"""Instants as text."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_time(epoch_ms: int | None) -> str | None:
    """An instant as ISO 8601 in UTC; the fraction is shown only where there is one."""
    if epoch_ms is None:
        return None
    try:
        moment = datetime.fromtimestamp(epoch_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return str(epoch_ms)
    return f"{moment}.{epoch_ms % 1000:03d}Z" if epoch_ms % 1000 else f"{moment}Z"
