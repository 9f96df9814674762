"""The tables of a fixed input are the recorded ones, row by row, for any size of batches and buffers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from streaming_app.derive import aggregates, update
from streaming_app.lake import buckets
from streaming_app.spark import table_stream, tasks
from tests.spark.job import Job
from tests.support.digest import TABLES, digest, make_input, recorded

pytestmark = pytest.mark.spark

SMALL = {(tasks, "TASK_BYTES"): 20_000, (table_stream, "BATCH_BYTES_PER_CORE"): 1, (aggregates, "PART_ROWS"): 50}
IN_TASKS = {
    (update, "COLLECT_BYTES"): -1,
    (update, "SHARE_EVENT_BYTES"): 20_000,
    (buckets, "BUCKET_BYTES"): 10_000,
    (table_stream, "BATCH_BYTES_PER_CORE"): 20_000,
}
"""As with much data: shares are merged in tasks, and buckets are split."""
SETTINGS: dict[str, tuple[dict[str, Any], dict[tuple[Any, str], int]]] = {
    "as shipped": ({}, {}),
    "shares in tasks": ({"max_files_per_batch": 5}, IN_TASKS),
    "little at a time": ({"max_files_per_batch": 3}, SMALL),
    "collected, then in tasks": (
        {"max_files_per_batch": 5},
        {**IN_TASKS, (update, "COLLECT_BYTES"): 1 << 30, (update, "MERGE_BYTES"): 0},
    ),
}


LONG = tuple(SETTINGS)[2:]


@pytest.mark.parametrize(
    "setting", [pytest.param(each, marks=pytest.mark.exhaustive) if each in LONG else each for each in SETTINGS]
)
def test_the_job_makes_the_recorded_tables(
    setting: str, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, constants = SETTINGS[setting]
    for (module, name), value in constants.items():
        monkeypatch.setattr(module, name, value)
    job = Job(tmp_path, make_input(tmp_path)[1])
    job.config = job.config.model_copy(update={"source": job.config.source.model_copy(update=source)})
    job.run()
    assert {table: digest(job.rows(table)) for table in TABLES} == recorded()
