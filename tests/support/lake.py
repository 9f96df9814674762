"""Running the job's parts on a temporary lake and reading its tables back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from streaming_app.config.model import Config
from streaming_app.lake.duckdb import query_on_all_cores
from streaming_app.lake.lake import Lake
from streaming_app.lake.query import dataset
from streaming_app.model.run_metrics import BatchMetrics
from streaming_app.model.tables import TABLES
from streaming_app.plugins.load_config import parse_config
from streaming_app.testing.pipeline import InProcessPipeline

# What differs between two runs over the same requests, however they are split: where a copy was read, and when.
LINEAGE = {"process_info", "created_time"}
_SOURCE = {"source_file", "source_line"}


def without_lineage(table: str, names: Iterable[str]) -> list[str]:
    """The columns of a table that do not depend on where a copy was read, and when: its request is always the same."""
    left_out = LINEAGE | _SOURCE if table in ("event", "item", "change") else LINEAGE
    return [name for name in names if name not in left_out]


def config_for(folder: Path, extra: str = "") -> Config:
    """A configuration for ``folder/raw`` and ``folder/lake``; ``extra`` is further YAML."""
    return parse_config(
        f"project_id: test\nsource: {{uri: {folder}/raw}}\nsink: {{uri: {folder}/lake}}\n"
        f"apps:\n  shop: {{transformer: clickstream_sdk}}\n{extra}"
    )


class LocalPipeline(InProcessPipeline):
    """A pipeline in ``folder``: raw files in ``raw``, tables in ``lake``."""

    def __init__(
        self, folder: Path, extra: str = "", stream_id: str = "test-stream", created_ms: int = 1_780_000_100_000
    ) -> None:
        super().__init__(config_for(folder, extra), stream_id=stream_id, created_ms=created_ms)
        self.folder, self.extra = folder, extra
        self.batch_metrics: BatchMetrics
        """Of the last micro-batch that was committed."""

    def ingest(self, *paths: Path, tasks: int = 1) -> dict[str, Any]:
        """One micro-batch over some files, spread over ``tasks`` tasks."""
        return self._row(super().ingest([str(path) for path in paths], tasks))

    def ingest_again(self, *paths: Path, tasks: int = 1) -> dict[str, Any]:
        """The same micro-batch number once more, as after a crash."""
        return self._row(super().retry([str(path) for path in paths], tasks))

    def _row(self, metrics: BatchMetrics | None) -> dict[str, Any]:
        if metrics is None:
            return {}
        self.batch_metrics = metrics
        return metrics.to_row()

    def rows(self, table: str, order: str = "ALL", where: str = "true") -> list[dict[str, Any]]:
        """Rows of a table without lineage, ordered."""
        found = self.query(f'SELECT * FROM "{table}" WHERE {where} ORDER BY {order}')
        rows: list[dict[str, Any]] = found.select(without_lineage(table, found.column_names)).to_pylist()
        return rows

    def query(self, sql: str) -> pa.Table:
        return rows_of(self.lake, sql)


def rows_of(lake: Lake, sql: str) -> pa.Table:
    """The answer of this process's own database: to open one for each question, as for a user's, takes longer than most tests."""
    return query_on_all_cores(sql, **{name: dataset(lake, TABLES[name]) for name in TABLES if re.search(rf"\b{name}\b", sql)})


def balance(metrics: dict[str, Any]) -> tuple[int, int]:
    """Both sides of a batch's balance."""
    return metrics["received"], sum(metrics[name] for name in ("written", "duplicate", "filtered", "quarantined"))


ALL_TABLES = tuple(TABLES)
