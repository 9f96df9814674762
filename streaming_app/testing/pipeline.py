"""The whole pipeline in this process, without Spark: the job's own parsing, plugins, commits and merges, on local tables."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import pyarrow as pa

from streaming_app.config.model import Config
from streaming_app.derive.rebuild import rebuild_stale_users
from streaming_app.derive.update import Update
from streaming_app.environment import open_lake
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.batch_metrics import Timing
from streaming_app.ingest.commit.commit import commit_batch, passed_commit_point
from streaming_app.ingest.commit.recovery import roll_back_incomplete_batch
from streaming_app.ingest.commit.task_runner import TaskRunner
from streaming_app.ingest.file_processor import FileProcessor
from streaming_app.ingest.task_report import merge_reports
from streaming_app.lake.commit import TransactionId
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.query import dataset
from streaming_app.metrics.summary import Summary
from streaming_app.model.run_metrics import BatchMetrics
from streaming_app.model.tables import CHANGE, EVENT, TABLES
from streaming_app.spark.table_stream import NewFiles, TableFile
from streaming_app.storage.files import Storage

TABLE_NAMES = ("event", "item", "change", "user", "session", "item_attributes", "quarantine", "run_metrics")
"""The tables that a run writes; ``operation`` is for commands."""


class InProcessPipeline:
    """A pipeline whose micro-batches are the files that it is given. Hooks are not called, since they need Spark.

    ``created_ms`` is the time of the run in epoch milliseconds; by default the current time.
    """

    def __init__(
        self, config: Config, *, job_id: str = "test-job", stream_id: str = "test-stream", created_ms: int | None = None
    ) -> None:
        self.config, self.lake = config, open_lake(config)
        self.job_id, self.stream_id, self.created_ms = job_id, stream_id, created_ms or int(time.time() * 1_000)
        self.runner = TaskRunner()
        self._batch_id = -1
        self._derived: dict[str, set[str]] = {}
        root = Path(self.lake.root)
        if not root.exists():
            shutil.copytree(_empty_tables(), root)
        self.lake.create_all()

    def ingest(self, files: Sequence[str], tasks: int = 1) -> BatchMetrics | None:
        """Process raw files as the next micro-batch, divided among ``tasks`` tasks, and commit it."""
        self._batch_id += 1
        return self.retry(files, tasks)

    def retry(self, files: Sequence[str], tasks: int = 1) -> BatchMetrics | None:
        """Process files as the last micro-batch again, as after a crash; returns None if it is committed already."""
        batch = Batch(self.config, self.lake.storage, self.stream_id, self._batch_id, self.job_id, self.created_ms, "all")
        roll_back_incomplete_batch(self.config, self.lake)
        if passed_commit_point(batch, self.lake):
            return None
        parts = [files[start::tasks] for start in range(tasks)]
        report = merge_reports(FileProcessor(batch, f"part-{number}").run(part) for number, part in enumerate(parts) if part)
        stored_bytes = sum(path.stat().st_size for path in map(Path, files) if path.exists())
        return commit_batch(batch, report, Timing(0.0, stored_bytes), self.lake, self.runner)

    def derive(self) -> Summary:
        """Merge new rows of ``event`` and ``change`` into the derived tables; then rebuild the users of replaced events."""
        summary = Summary(self.job_id)
        Update(self.config, self.lake, summary, TransactionId("test-derive", self._batch_id), self._new_files()).run()
        summary.keys_set_aside += len(rebuild_stale_users(self.config, self.lake, self.job_id))
        return summary

    def read_tables(self, names: Iterable[str] = TABLE_NAMES) -> dict[str, pa.Table]:
        """Read whole tables, with their partition columns, by name."""
        return {name: dataset(self.lake, TABLES[name]).to_table().select(TABLES[name].schema.names) for name in names}

    def _new_files(self) -> NewFiles:
        """The files of ``event`` and ``change`` that derive has not seen."""
        files: NewFiles = {}
        for table in (EVENT, CHANGE):
            live = {file.path: file for file in live_files(self.lake.open(table))}
            files[table.name] = [
                TableFile(f"{self.lake.uri(table)}/{path}", file.size, table.name, file.app_id, file.day)
                for path, file in live.items()
                if path not in self._derived.get(table.name, ())
            ]
            self._derived[table.name] = set(live)
        return files


@cache
def _empty_tables() -> Path:
    """A directory with empty tables, as a first run creates them: copying it takes a tenth of the time of creating them."""
    folder = Path(tempfile.mkdtemp(prefix="clickstream-empty-tables-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Lake(str(folder), Storage()).create_all()
    return folder
