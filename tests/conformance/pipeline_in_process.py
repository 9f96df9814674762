"""The pure-Python parts of the pipeline in one process: pass over raw files, dedupe, and the rows of user and session.

No JVM and no Delta log: what a run writes is read back from its Parquet files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.config.model import Config
from streaming_app.derive import session_rows, user_rows
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.deduplicate import Rules, find_duplicates
from streaming_app.ingest.commit.duplicate_days import DuplicateDays
from streaming_app.ingest.file_processor import FileProcessor
from streaming_app.ingest.task_report import IngestReport
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake
from streaming_app.model.tables import EVENT, TABLES, Table
from streaming_app.plugins import load_config
from streaming_app.storage.files import Storage

from .fixture_files import FIXTURES, Row

JOB_ID = "test-job"
CREATED_MS = 1_700_000_000_000
"""When the runs began: any fixed time, no rule looks at it."""

_RULES = FIXTURES / "rules/input/app1"
ENRICHERS = [
    {
        "traffic_source": {
            "categories": str(_RULES / "traffic_source_category_rule_v1.json"),
            "channels": str(_RULES / "traffic_source_channel_rule_v1.json"),
        }
    }
]
"""The enrichers of every run: the recorded values were made with these rules."""


@dataclass(frozen=True)
class Setting:
    """What a case configures; ``apps`` are ids, all of the same transformer."""

    apps: tuple[str, ...]
    project: str = "test_project_id_01"
    clock_correction: bool = True
    freshness_hours: float = 72
    clock_threshold_minutes: float = 10
    transformer: str = "clickstream_sdk"

    def config(self, lake: Path) -> Config:
        """By way of the text of a configuration, as a user gives it (YAML is a superset of JSON)."""
        document = {
            "project_id": self.project,
            "source": {"uri": str(lake / "unused")},
            "sink": {"uri": str(lake)},
            "apps": {app: {"transformer": self.transformer} for app in self.apps},
            "rules": {
                "clock_correction": self.clock_correction,
                "freshness_hours": self.freshness_hours,
                "clock_threshold_minutes": self.clock_threshold_minutes,
            },
            "enrichers": ENRICHERS,
        }
        return load_config.parse_config(json.dumps(document))


@dataclass(frozen=True)
class Run:
    """What one run wrote."""

    config: Config
    report: IngestReport
    _rows: dict[str, list[Row]] = field(default_factory=dict)

    def written(self, table: Table) -> pa.Table:
        """All rows as the pass wrote them, duplicates between requests included, with their partition columns."""
        return self._read(table, {})

    @cached_property
    def events(self) -> pa.Table:
        """The rows of ``event`` that the commit would keep."""
        return self._read(EVENT, self._losing_rows())

    def rows(self, table: str) -> list[Row]:
        """Rows of a table as they would be committed, as dictionaries."""
        if table not in self._rows:
            self._rows[table] = self._make(table).to_pylist()
        return self._rows[table]

    def _make(self, table: str) -> pa.Table:
        if table == "event":
            return self.events
        if table == "user":
            return users_of(self.events)
        if table == "session":
            return sessions_of(self.events, self.config)
        rows = self.written(TABLES[table])
        return self._with_events(rows) if table == "item" else rows

    def _with_events(self, items: pa.Table) -> pa.Table:
        """The items whose event is kept: of two copies each has its own."""
        kept = {(row["app_id"], row["event_id"], _place(row)) for row in self.events.to_pylist()}
        return items.filter(
            pa.array([(row["app_id"], row["event_id"], _place(row)) in kept for row in items.to_pylist()], pa.bool_())
        )

    @property
    def duplicates(self) -> int:
        """Copies left out: within a request by the pass, between requests by the comparison before the commit."""
        return self.report.counts.duplicate + sum(len(rows) for rows in self._losing_rows().values())

    def _losing_rows(self) -> dict[str, list[int]]:
        left_out = DuplicateDays(self.config, Storage(), EVENT)
        lake, days = Lake(self.config.sink.uri, Storage()), self.config.dedupe.neighbour_days
        found = find_duplicates(lake, EVENT, self.report.of("event"), lambda *_: [], left_out, Rules(days))
        return {lost.file.path: lost.rows.tolist() for lost in found.new}

    def _read(self, table: Table, without: dict[str, list[int]]) -> pa.Table:
        parts = [self._read_file(table, file, without.get(file.path, [])) for file in self.report.of(table.name)]
        return pa.concat_tables([table.schema.empty_table(), *parts])

    def _read_file(self, table: Table, file: DataFile, without: list[int]) -> pa.Table:
        rows = pq.read_table(f"{self.config.table_uri(table.name)}/{file.path}", partitioning=None)
        assert rows.schema.equals(table.file_schema), f"{table.name}: the file's schema is not the contract's"
        rows = rows.filter(pc.invert(pc.is_in(pa.array(range(len(rows)), pa.int64()), pa.array(without, pa.int64()))))
        for name in table.partition_by:
            value = pa.scalar(file.partition[name]).cast(table.schema.field(name).type)
            rows = rows.append_column(name, pa.repeat(value, len(rows)))
        return rows.select(table.schema.names)


def run(files: Iterable[Path], setting: Setting, lake: Path) -> Run:
    """One task's pass over some raw files."""
    config = setting.config(lake)
    batch = Batch(
        config, Storage(), stream_id="conformance", batch_id=0, job_id=JOB_ID, created_ms=CREATED_MS, source_partition="all"
    )
    return Run(config, FileProcessor(batch, "t").run(sorted(str(file) for file in files)))


def users_of(events: pa.Table) -> pa.Table:
    """Rows of ``user``, by way of the states of several parts of the events."""
    states = pa.concat_tables([user_rows.aggregate_events(part) for part in _parts(events)])
    return user_rows.rows_from_aggregates(user_rows.combine_aggregates(states), JOB_ID, CREATED_MS)


def sessions_of(events: pa.Table, config: Config) -> pa.Table:
    """Rows of ``session``, by way of the states of several parts of the events; none is stored yet."""
    states = pa.concat_tables([session_rows.aggregate_events(part, config.sessions) for part in _parts(events)])
    rows = session_rows.rows_from_aggregates(session_rows.mark_as_new(states), config.sessions, CREATED_MS)
    return rows.select(TABLES["session"].schema.names)


def _parts(events: pa.Table) -> Iterator[pa.Table]:
    """Every third event, the latest part first: the merge rules must not depend on how events are split, or their order."""
    return (events.take(pa.array(range(first, len(events), 3), pa.int64())) for first in (2, 1, 0))


def _place(row: Row) -> tuple[str, int]:
    info = json.loads(row["process_info"])
    return info["input_file_name"], info["input_file_line"]
