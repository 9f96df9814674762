"""Whatever partitions rows come in, each row is in one file of its partition, in order, and files are of useful size and number."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.lake import parquet, spill
from streaming_app.lake.files import DataFile
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.model.tables import EVENT
from streaming_app.storage.files import Storage

SCHEMA = EVENT.schema


def rows_of(*keys: tuple[str, int], first: int = 0) -> pa.Table:
    """A row for each app and day, numbered in ``event_name``."""
    rows = [
        {"app_id": app, "year": 2026, "month": 1, "day": day, "event_name": str(number), "event_time_msec": number}
        for number, (app, day) in enumerate(keys, first)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def read(root: Path, files: list[DataFile]) -> dict[tuple[str, ...], list[str]]:
    """The numbers of the rows of each partition, in the order of its files."""
    found: dict[tuple[str, ...], list[str]] = {}
    for file in files:
        names = pq.read_table(root / file.path, columns=["event_name"], partitioning=None)["event_name"].to_pylist()
        assert len(names) == file.rows
        assert (root / file.path).stat().st_size == file.size
        found.setdefault((file.partition["app_id"], file.partition["day"]), []).extend(names)
    return found


_KEYS = st.lists(st.tuples(st.sampled_from("abcdefghijkl"), st.integers(1, 4)), min_size=1, max_size=60)


@given(
    added=st.lists(_KEYS, min_size=1, max_size=12), bounds=st.tuples(st.integers(1, 40), st.integers(1, 8), st.integers(1, 60))
)
def test_each_row_is_in_a_file_of_its_partition(
    added: list[list[tuple[str, int]]], bounds: tuple[int, int, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """For any sizes of buffers, in which some partitions are written directly, and others by way of the disk."""
    root = tmp_path_factory.mktemp("event")
    expected: dict[tuple[str, ...], list[str]] = {}
    with pytest.MonkeyPatch.context() as patch:
        for (module, name), value in zip(
            [(parquet, "_PENDING_ROWS"), (parquet, "_FEW_PARTITIONS"), (spill, "BUFFER_ROWS")], bounds, strict=True
        ):
            patch.setattr(module, name, value)
        patch.setattr(parquet, "_MAX_OPEN_FILES", 2)
        writer = PartitionWriter(EVENT, str(root), Storage(), "x")
        first = 0
        for keys in added:
            writer.add(rows_of(*keys, first=first))
            for number, (app, day) in enumerate(keys, first):
                expected.setdefault((app, str(day)), []).append(str(number))
            first += len(keys)
        files = writer.close()
    found = read(root, files)
    assert {key: sorted(names, key=int) for key, names in found.items()} == expected
    assert {file.path for file in files} == {str(path.relative_to(root)) for path in root.rglob("*.parquet")}


def test_rows_of_thousands_of_partitions_become_a_file_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "BUFFER_ROWS", 1_000)
    writer = PartitionWriter(EVENT, str(tmp_path), Storage(), "x")
    keys = [(f"app-{app}", day) for app in range(300) for day in (1, 2)]
    for number in range(5):
        writer.add(rows_of(*keys, first=number * len(keys)))
    files = writer.close()
    assert len(files) == len(keys)
    found = read(tmp_path, files)
    for position, (app, day) in enumerate(keys):
        assert found[app, str(day)] == [str(position + number * len(keys)) for number in range(5)]


def test_a_file_of_the_target_size_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "TARGET_BYTES", 1)
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 10)
    writer = PartitionWriter(EVENT, str(tmp_path), Storage(), "x")
    for number in range(4):
        writer.add(rows_of(*[("a", 1)] * 10, first=number * 10))
    files = writer.close()
    assert Counter(file.rows for file in files) == {10: 4}
    assert read(tmp_path, files) == {("a", "1"): [str(number) for number in range(40)]}


def test_null_is_a_partition_of_its_own() -> None:
    rows: Any = pa.table({"key": pa.array(["a", None, "a", None])})
    codes, partitions = spill.partition_codes(rows, ("key",))
    assert [dict(partitions[code])["key"] for code in codes] == ["a", "None", "a", "None"]
