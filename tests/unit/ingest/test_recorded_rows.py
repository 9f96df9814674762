"""Events, items and changes of a fixed input, row for row, whatever the pass does at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streaming_app.ingest import file_processor
from streaming_app.ingest.write import event_rows
from streaming_app.lake import parquet
from tests.support.digest import digest, make_input, recorded
from tests.support.lake import LocalPipeline

pytestmark = pytest.mark.unit

SMALL = {
    (event_rows, "FLUSH_ROWS"): 64,
    (file_processor, "_OPEN_FILES"): 1,
    (parquet, "ROW_GROUP_ROWS"): 100,
    (parquet, "_PENDING_ROWS"): 150,
}
SETTINGS: dict[str, tuple[dict[tuple[Any, str], int], int, int]] = {
    "one task": ({}, 1, 1),
    "little at a time": (SMALL, 1, 1),
    "many tasks": (SMALL, 4, 1),
    "many micro-batches": ({}, 2, 4),
}
"""Constants, tasks of a micro-batch, micro-batches."""


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_the_pass_makes_the_recorded_tables(setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants, tasks, batches = SETTINGS[setting]
    for (module, name), value in constants.items():
        monkeypatch.setattr(module, name, value)
    files, extra = make_input(tmp_path)
    pipeline = LocalPipeline(tmp_path, extra)
    for number in range(batches):
        pipeline.ingest(*files[number::batches], tasks=tasks)
    assert {table: digest(pipeline.rows(table)) for table in ("event", "item", "change")} == {
        table: found for table, found in recorded().items() if table in ("event", "item", "change")
    }
