"""Which rows of ``quarantine`` a replay is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streaming_app.derive.set_aside import STAGE
from streaming_app.lake.files import DataFile


@dataclass(frozen=True)
class QuarantineFilter:
    """Selects rows of ``quarantine``: of one of the reasons, of one app, quarantined since a moment; all where empty."""

    reasons: tuple[str, ...] = ()
    since: datetime | None = None
    app_id: str | None = None

    def includes(self, row: dict[str, Any]) -> bool:
        return (
            row["resolved_time"] is None
            and row["stage"] != STAGE  # what derive set aside is no element of a request
            and (not self.reasons or row["reason"] in self.reasons)
            and (self.since is None or row["created_time"] >= self.since)
            and (self.app_id is None or row["app_id"] == self.app_id)
        )

    def may_be_in(self, file: DataFile) -> bool:
        """By the statistics in the log."""
        latest = file.max_values.get("created_time")
        return self.since is None or latest is None or latest >= self.since
