"""A file that is written again without some rows has all others, as they were, and nothing of those."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.lake import parquet
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rewrite import compact_dictionaries, without_rows
from streaming_app.lake.rows import read_columns
from streaming_app.model.tables import EVENT, ITEM, QUARANTINE, Table
from streaming_app.storage.files import Storage
from tests.support.lake import LocalPipeline
from tests.support.raw import event, line, write

ROWS = 60


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> LocalPipeline:
    """Events and items in row groups of 25 rows; each has a text of its own, and texts that others have too."""
    pipeline = LocalPipeline(tmp_path_factory.mktemp("lake"))
    lines = [
        line(
            event(
                f"e-{number}",
                unique_id=f"u-{number}",
                platform="Web" if number % 7 else "iOS",
                items=[{"id": f"sku-{number % 3}"}],
            ),
            rid=f"r-{number}",
        )
        for number in range(ROWS)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROW_GROUP_ROWS", 25)
        pipeline.ingest(write(pipeline.folder / "raw", "a.gz", b"broken", *lines))
    return pipeline


def rows_of(pipeline: LocalPipeline, table: Table, files: list[DataFile]) -> pa.Table:
    parts = [read_columns(f"{pipeline.lake.uri(table)}/{file.path}", None, pipeline.lake.storage) for file in files]
    return pa.concat_tables([table.file_schema.empty_table(), *parts])


@pytest.mark.parametrize("table", [EVENT, ITEM, QUARANTINE], ids=lambda table: table.name)
@pytest.mark.parametrize("seed", range(3))
def test_all_other_rows_stay(table: Table, seed: int, pipeline: LocalPipeline) -> None:
    [file] = live_files(pipeline.lake.open(table))
    dropped = np.array([Random(seed * 1_000 + row).random() < 0.4 for row in range(file.rows)])
    found = without_rows(pipeline.lake, table, file, pa.array(dropped))
    wanted = rows_of(pipeline, table, [file]).filter(pa.array(~dropped))
    assert rows_of(pipeline, table, found).equals(wanted)
    assert [each.rows for each in found] == ([len(wanted)] if len(wanted) else [])
    for each in found:
        path = f"{pipeline.lake.uri(table)}/{each.path}"
        assert pq.read_schema(path).equals(table.file_schema)
        assert each.partition == file.partition
        assert each.size == Path(path).stat().st_size


def test_nothing_stays_of_dropped_rows(pipeline: LocalPipeline) -> None:
    [file] = live_files(pipeline.lake.open(EVENT))
    dropped = pa.array(np.arange(file.rows) % 2 == 0)
    [found] = without_rows(pipeline.lake, EVENT, file, dropped)
    with pq.ParquetFile(f"{pipeline.lake.uri(EVENT)}/{found.path}", read_dictionary=["user_pseudo_id"]) as parquet_file:
        groups = [parquet_file.read_row_group(group) for group in range(parquet_file.num_row_groups)]
    users = [chunk for group in groups for chunk in group["user_pseudo_id"].chunks]
    stored = {value for chunk in users for value in chunk.dictionary.to_pylist()}
    kept = rows_of(pipeline, EVENT, [file]).filter(pa.compute.invert(dropped))["user_pseudo_id"]
    assert stored == set(kept.to_pylist())
    assert len(stored) == file.rows // 2


def test_no_row_and_every_row(pipeline: LocalPipeline) -> None:
    [file] = live_files(pipeline.lake.open(EVENT))
    assert without_rows(pipeline.lake, EVENT, file, pa.array([True] * file.rows)) == []
    [found] = without_rows(pipeline.lake, EVENT, file, pa.array([False] * file.rows))
    assert rows_of(pipeline, EVENT, [found]).equals(rows_of(pipeline, EVENT, [file]))


def test_a_file_of_an_older_layout(pipeline: LocalPipeline, tmp_path: Path) -> None:
    """It lacks columns of today's, which are filled from those that it has."""
    lake = Lake(str(tmp_path), Storage())
    (tmp_path / "event").mkdir()
    [file] = live_files(pipeline.lake.open(EVENT))
    rows = rows_of(pipeline, EVENT, [file])
    newer = ["event_date", "request_id", "source_file", "source_line"]
    pq.write_table(rows.drop_columns(newer), tmp_path / "event/old.parquet")
    old = DataFile("old.parquet", file.partition, 1, file.rows)
    dropped = np.arange(file.rows) % 3 == 0
    [found] = without_rows(lake, EVENT, old, pa.array(dropped))
    written = read_columns(f"{lake.uri(EVENT)}/{found.path}", None, lake.storage)
    assert written.equals(rows.filter(pa.array(~dropped)))
    assert [written[name].null_count for name in newer] == [0, 0, 0, 0]


@given(values=st.lists(st.none() | st.sampled_from("abcd")), other=st.lists(st.none() | st.sampled_from("xyz")), data=st.data())
def test_dictionaries_are_as_small_as_their_rows(values: list[str | None], other: list[str | None], data: st.DataObject) -> None:
    chunks = [pa.array(each, pa.string()).dictionary_encode() for each in (values, other)]
    column = pa.chunked_array(chunks, chunks[0].type)
    mask = data.draw(st.lists(st.booleans(), min_size=len(column), max_size=len(column)))
    kept = pa.table({"text": column}).filter(pa.array(mask, pa.bool_()))
    compacted = compact_dictionaries(kept)["text"]
    assert compacted.to_pylist() == kept["text"].to_pylist()
    for chunk in compacted.chunks:
        assert sorted(chunk.dictionary.to_pylist()) == sorted({value for value in chunk.to_pylist() if value is not None})
