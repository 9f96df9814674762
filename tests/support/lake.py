"""Running the job's parts on a temporary lake and reading its tables back."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from streaming_app.config.model import Config
from streaming_app.derive.rebuild import rebuild_stale_users
from streaming_app.derive.stream import compute_aggregates, merge_aggregates
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.batch_metrics import Timing
from streaming_app.ingest.commit.commit import commit_batch, passed_commit_point
from streaming_app.ingest.commit.recovery import roll_back_incomplete_batch
from streaming_app.ingest.file_processor import FileProcessor
from streaming_app.ingest.task_report import merge_reports
from streaming_app.lake.commit import TransactionId
from streaming_app.lake.duckdb import query_on_all_cores
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.query import dataset
from streaming_app.metrics.summary import Summary
from streaming_app.model.tables import CHANGE, EVENT, TABLES
from streaming_app.plugins.load_config import parse_config
from streaming_app.spark.table_stream import NewFiles, TableFile
from streaming_app.storage.files import Storage

# What differs between two runs over the same requests, however they are split: where a copy was read, and when.
LINEAGE = {"process_info", "created_time"}


def config_for(folder: Path, extra: str = "") -> Config:
    """A configuration for ``folder/raw`` and ``folder/lake``; ``extra`` is further YAML."""
    return parse_config(
        f"project_id: test\nsource: {{uri: {folder}/raw}}\nsink: {{uri: {folder}/lake}}\n"
        f"apps:\n  shop: {{transformer: clickstream_sdk}}\n{extra}"
    )


@cache
def _empty_tables() -> Path:
    """Tables as a first run makes them: to copy them is ten times faster."""
    folder = Path(tempfile.mkdtemp(prefix="clickstream-empty-tables-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Lake(str(folder), Storage()).create_all()
    return folder


@dataclass
class LocalPipeline:
    """The ingest half of a pipeline without Spark: the real pass and the real commit, files handed over by the test."""

    folder: Path
    extra: str = ""
    stream_id: str = "test-stream"
    created_ms: int = 1_780_000_100_000
    _batch: int = field(default=-1, init=False)
    _derived: dict[str, set[str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.config = config_for(self.folder, self.extra)
        self.lake = Lake(self.config.sink.uri, Storage())
        if not (self.folder / "lake").exists():
            shutil.copytree(_empty_tables(), self.folder / "lake")
        self.lake.create_all()

    def ingest(self, *paths: Path, tasks: int = 1) -> dict[str, Any]:
        """One micro-batch over some files, spread over ``tasks`` tasks."""
        self._batch += 1
        return self.ingest_again(*paths, tasks=tasks)

    def ingest_again(self, *paths: Path, tasks: int = 1) -> dict[str, Any]:
        """The same micro-batch number once more, as after a crash."""
        batch = Batch(self.config, self.lake.storage, self.stream_id, self._batch, "test-job", self.created_ms, "all")
        roll_back_incomplete_batch(self.config, self.lake)
        if passed_commit_point(batch, self.lake):
            return {}
        parts = [[str(path) for path in paths[start::tasks]] for start in range(tasks)]
        report = merge_reports(FileProcessor(batch, f"part-{number}").run(part) for number, part in enumerate(parts) if part)
        return commit_batch(batch, report, Timing(0.0, sum(path.stat().st_size for path in paths if path.exists())), self.lake)

    def derive(self) -> Summary:
        """Bring all new files of ``event`` and ``change`` into the derived tables, as a micro-batch of derive does; then rebuild
        the users of replaced events."""
        files: NewFiles = {}
        for table in (EVENT, CHANGE):
            live = {file.path: file for file in live_files(self.lake.open(table))}
            new = [file for path, file in live.items() if path not in self._derived.get(table.name, set())]
            files[table.name] = [
                TableFile(f"{self.lake.uri(table)}/{each.path}", each.size, table.name, each.partition["app_id"]) for each in new
            ]
            self._derived[table.name] = set(live)
        summary = Summary("test-job")
        made = list(compute_aggregates(self.lake.storage, self.config, files[EVENT.name]))
        merge_aggregates(made, files, self.config, self.lake, summary, TransactionId("test-derive", self._batch))
        summary.keys_set_aside += len(rebuild_stale_users(self.config, self.lake, "test-job"))
        return summary

    def rows(self, table: str, order: str = "ALL", where: str = "true") -> list[dict[str, Any]]:
        """Rows of a table without lineage, ordered."""
        found = self.query(f'SELECT * FROM "{table}" WHERE {where} ORDER BY {order}')
        kept = [name for name in found.column_names if name not in LINEAGE]
        rows: list[dict[str, Any]] = found.select(kept).to_pylist()
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
