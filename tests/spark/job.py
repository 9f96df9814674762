"""The whole job in this process's Spark session."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streaming_app import pipeline
from streaming_app.progress import LogLines
from streaming_app.storage import Storage
from streaming_app.summary import Summary
from streaming_app.tables.delta import Sink
from streaming_app.tables.read import query
from tests.support.lake import LINEAGE, config_for


@dataclass
class Job:
    """A pipeline over ``folder/raw`` into ``folder/lake``."""

    folder: Path
    extra: str = ""
    runs: list[Summary] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "raw").mkdir(parents=True, exist_ok=True)
        self.config = config_for(self.folder, self.extra)
        self.sink = Sink(self.config.sink.uri, Storage())

    def run(self) -> Summary:
        self.runs.append(pipeline.run(self.config, LogLines(), f"job-{len(self.runs)}"))
        return self.runs[-1]

    def rows(self, table: str, where: str = "true") -> list[dict[str, Any]]:
        """Rows without lineage, ordered by everything."""
        found = query(self.sink, f'SELECT * FROM "{table}" WHERE {where} ORDER BY ALL')
        rows: list[dict[str, Any]] = found.select([name for name in found.column_names if name not in LINEAGE]).to_pylist()
        return rows

    def query(self, sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = query(self.sink, sql).to_pylist()
        return rows

    def four_tables(self) -> dict[str, list[dict[str, Any]]]:
        return {table: self.rows(table) for table in ("event", "item", "user", "session")}

    def derived_tables(self) -> dict[str, list[dict[str, Any]]]:
        """All tables whose rows do not depend on how the input was split."""
        return {table: self.rows(table) for table in ("event", "item", "change", "user", "session", "item_attributes")}
