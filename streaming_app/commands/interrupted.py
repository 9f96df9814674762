"""Operators' commands that began and did not end: they were killed and have to be repeated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from streaming_app.lake.lake import Lake
from streaming_app.lake.query import dataset, snapshot
from streaming_app.model.tables import EVENT, OPERATION

HARMLESS = frozenset({"optimize", "vacuum"})
"""Commands that need not be repeated after a kill: no row depends on them."""


@dataclass(frozen=True)
class InterruptedCommand:
    """A command without an end, as far as the table ``operation`` knows; it may be at work right now."""

    id: str
    operation: str
    arguments: str
    since: datetime

    def __str__(self) -> str:
        return f"{self.operation} {self.arguments}, begun {self.since:%Y-%m-%d %H:%M:%S} UTC"


def find_interrupted(lake: Lake) -> list[InterruptedCommand]:
    """Commands without an end that were not repeated with the same arguments since, oldest first.

    Raises:
        SinkError: there are no tables.
    """
    columns = ["operation_id", "operation", "status", "arguments", "created_time"]
    files = snapshot(lake, (EVENT, OPERATION))[OPERATION.name]  # an old lake has no such table, and so no such commands
    rows = dataset(lake, OPERATION, files).to_table(columns=columns).sort_by("created_time").to_pylist()
    ended = {row["operation_id"] for row in rows if row["status"] != "started"}
    done = {(row["operation"], row["arguments"]): row["created_time"] for row in rows if row["status"] == "done"}
    return [
        InterruptedCommand(row["operation_id"], row["operation"], row["arguments"], row["created_time"])
        for row in rows
        if row["operation_id"] not in ended and not _is_after(done.get((row["operation"], row["arguments"])), row["created_time"])
    ]


def _is_after(done: datetime | None, began: datetime) -> bool:
    return done is not None and done > began
