"""Index files have the hashes of a data file's ids; whatever happens to them, a search finds the same rows."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.lake.hashes import stable_hashes
from streaming_app.lake.id_index import MIN_ROWS, HashRange, IdCollector, IdIndex, data_path, index_path
from streaming_app.lake.maintenance import StoredFile, find_expired_index
from streaming_app.storage.files import Storage

PATH = "app_id=shop/part.parquet"
IDS = [f"id-{number % 1_999}" for number in range(2 * MIN_ROWS)]  # some occur twice


def indexed(folder: Path, ids: list[str] = IDS) -> IdIndex:
    (folder / PATH).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"event_id": ids}), folder / PATH)
    index = IdIndex(str(folder), Storage())
    index.make(PATH)
    return index


def found(index: IdIndex, part: HashRange, ids: list[str] = IDS) -> list[tuple[int, int]]:
    """Hash and row index of each id in a range."""
    within = index.read(PATH, len(ids), part)
    if not len(within.hashes):
        return []
    rows = index.rows_at(PATH, within, np.arange(len(within.hashes)))
    return sorted(zip(within.hashes.tolist(), rows.tolist(), strict=True))


def expected(ids: list[str] = IDS) -> list[tuple[int, int]]:
    return sorted(zip(stable_hashes(pa.chunked_array([ids])).tolist(), range(len(ids)), strict=True))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 5_000])
def test_ranges_have_each_id_once(count: int, tmp_path: Path) -> None:
    index = indexed(tmp_path)
    assert sorted(each for number in range(count) for each in found(index, HashRange(number, count))) == expected()


def test_ranges_join_without_a_gap() -> None:
    for count in (1, 2, 3, 10, 1_000):
        ranges = [HashRange(number, count) for number in range(count)]
        assert (ranges[0].first, ranges[-1].last) == (0, 2**64 - 1)
        assert all(left.last + 1 == right.first for left, right in itertools.pairwise(ranges))


def test_ids_that_are_not_spread_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client may choose its ids so that their hashes are close together."""
    monkeypatch.setattr("streaming_app.lake.id_index.stable_hashes", lambda ids: np.arange(len(ids), dtype=np.uint64))
    index = indexed(tmp_path)
    assert [len(found(index, HashRange(number, 4))) for number in range(4)] == [len(IDS), 0, 0, 0]


def cut(content: bytes) -> bytes:
    return content[:-1]


def zeros(content: bytes) -> bytes:
    return bytes(len(content))


def hole(content: bytes) -> bytes:
    """As of a machine that lost power: a block that never reached the disk."""
    return content[:4_096] + bytes(4_096) + content[8_192:]


def tail(content: bytes) -> bytes:
    end = 16 + 8 * len(IDS)
    return content[: end - 4_096] + bytes(4_096) + content[end:]


def another(content: bytes) -> bytes:
    return b"another\x01" + content[8:]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "longer": lambda content: content + b"x",
    **{each.__name__: each for each in (cut, zeros, hole, tail, another)},
}


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("damage", [*DAMAGES, "missing"])
def test_a_damaged_index_file_is_made_again(damage: str, count: int, tmp_path: Path) -> None:
    index = indexed(tmp_path)
    file = tmp_path / index_path(PATH)
    whole = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(DAMAGES[damage](whole))
    assert sorted(each for number in range(count) for each in found(index, HashRange(number, count))) == expected()
    assert file.read_bytes() == whole
    assert list(file.parent.iterdir()) == [file]


def test_missing_files_are_found_by_their_length(tmp_path: Path) -> None:
    index = indexed(tmp_path)
    files = [(PATH, len(IDS)), ("few.parquet", MIN_ROWS - 1)]
    assert index.find_missing(files) == []
    assert index.find_missing([(PATH, len(IDS) + 1), ("none.parquet", MIN_ROWS)]) == [
        (PATH, len(IDS) + 1),
        ("none.parquet", MIN_ROWS),
    ]
    index.delete(PATH)
    index.delete(PATH)
    assert index.find_missing(files) == [(PATH, len(IDS))]


def test_few_ids_are_read_from_their_data_file(tmp_path: Path) -> None:
    ids = ["b", "a", "b"]
    index = indexed(tmp_path, ids)
    index.delete(PATH)
    assert found(index, HashRange(), ids) == expected(ids)
    assert not (tmp_path / index_path(PATH)).exists()


@given(sizes=st.lists(st.integers(0, 3 * MIN_ROWS), max_size=5))
def test_ids_are_collected_in_the_order_of_rows(sizes: list[int]) -> None:
    ids = [f"id-{number}" for number in range(sum(sizes))]
    collector, begin = IdCollector(), 0
    for size in sizes:
        collector.add(pa.chunked_array([pa.array(ids[begin : begin + size], pa.string())]))
        begin += size
    hashes = collector.hashes()
    if len(ids) < MIN_ROWS:
        assert hashes is None
    else:
        assert hashes is not None
        assert hashes.tolist() == stable_hashes(pa.chunked_array([ids])).tolist()


def test_hashes_do_not_depend_on_a_library() -> None:
    """They are stored: with another function, no duplicate of what is stored would be found."""
    ids = ["", "a", "e-1", "ä€😀"]
    of_md5 = [int.from_bytes(hashlib.md5(each.encode(), usedforsecurity=False).digest()[8:], "little") for each in ids]
    assert stable_hashes(pa.chunked_array([[*ids, None]])).tolist() == [*of_md5, 0]


def test_paths() -> None:
    assert data_path(index_path("app_id=shop/x.parquet")) == "app_id=shop/x.parquet"
    assert data_path("app_id=shop/x.parquet") is None
    assert data_path("_ids/app_id=shop/x.parquet.ids.1.tmp") is None


def test_expired_index_files() -> None:
    now = datetime(2026, 5, 28, tzinfo=UTC)
    ages = {
        "kept": 400,
        "_ids/kept.ids": 400,
        "_ids/gone.ids": 0,
        "_ids/kept.ids.1.tmp": 2,
        "_ids/kept.ids.2.tmp": 0,
        "_other/x": 9,
    }
    stored = [StoredFile(path, 1, now - timedelta(days=age)) for path, age in ages.items()]
    expired = find_expired_index(stored, {"kept"}, now - timedelta(days=1))
    assert [file.path for file in expired] == ["_ids/gone.ids", "_ids/kept.ids.1.tmp"]
