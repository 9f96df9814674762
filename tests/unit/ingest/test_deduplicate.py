"""Copies of an event: the same ones stay however many are met at a time, and though ids look alike by their hashes."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.ingest.commit.deduplicate import Rules, find_duplicates, read_keys
from streaming_app.ingest.commit.duplicate_days import DuplicateDays
from streaming_app.ingest.write import task_deduplicator
from streaming_app.ingest.write.task_deduplicator import COMPARED, TaskDeduplicator
from streaming_app.lake import id_index
from streaming_app.lake.files import DataFile
from streaming_app.lake.hashes import stable_hashes
from streaming_app.lake.lake import Lake
from streaming_app.model.tables import EVENT
from streaming_app.storage.files import Storage
from tests.support.lake import config_for

Row = tuple[str, str, int, int | None, str]
"""App, event id, event time, receive time, request."""

ROWS = st.tuples(
    st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 2), st.none() | st.integers(0, 2), st.sampled_from("pq")
)
TYPES = (pa.string(), pa.string(), pa.int64(), pa.int64(), pa.string())
ALIKE = {"all ids look alike": 1, "some do": 2, "none does": 1 << 62}


def one_by_one(rows: list[Row]) -> list[bool]:
    """What :class:`TaskDeduplicator` is to find, by the rule as it is written."""
    best: dict[tuple[str, str], tuple[int, int, str]] = {}
    stay = []
    for app_id, event_id, time, received, request in rows:
        order, key = (time, received or 0, request), (app_id, event_id)
        stay.append(key not in best or order < best[key])
        best[key] = min(order, best.get(key, order))
    return stay


def table(rows: list[Row]) -> pa.Table:
    columns = list(zip(*rows, strict=True))
    return pa.table([pa.array(values, kind) for values, kind in zip(columns, TYPES, strict=True)], COMPARED)


@pytest.mark.parametrize("different", ALIKE.values(), ids=ALIKE)
@given(batches=st.lists(st.lists(ROWS, min_size=1, max_size=8), max_size=6))
def test_of_copies_the_first_by_their_order_stays(different: int, batches: list[list[Row]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_deduplicator, "hash", lambda key: hash(key) % different, raising=False)
        copies = TaskDeduplicator()
        found = [copies.keep_mask(table(rows)).tolist() for rows in batches]
    assert list(chain.from_iterable(found)) == one_by_one(list(chain.from_iterable(batches)))


def test_ids_that_look_alike_are_no_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def written(name: str, ids: list[str]) -> DataFile:
        info = [f'{{"rid":"{name}","input_file_name":"{name}","input_file_line":{line}}}' for line in range(len(ids))]
        columns = {"event_id": ids, "event_time_msec": [1] * len(ids), "ingest_time_msec": [1] * len(ids), "process_info": info}
        pq.write_table(pa.table({**columns, "user_pseudo_id": ids}), tmp_path / "event" / name)
        return DataFile(name, {"app_id": "shop", "year": "1970", "month": "1", "day": "1"}, 0, len(ids))

    (tmp_path / "event").mkdir()
    new = [written("b", ["1", "2"]), written("c", ["3", "2"])]
    stored = [written("a", ["3", "4"])]
    lake, left_out = Lake(str(tmp_path), Storage()), DuplicateDays(config_for(tmp_path), Storage(), EVENT)
    for hashes in (stable_hashes, lambda ids: np.ones(len(ids), np.uint64)):
        monkeypatch.setattr(id_index, "stable_hashes", hashes)
        report = find_duplicates(lake, EVENT, new, lambda *_: stored, left_out, Rules(1))
        [lost] = report.new
        assert lost.file.path == "c"
        lost_ids = read_keys(lake, EVENT, lost)["event_id"].to_pylist()
        assert dict(zip(lost_ids, lost.rows.tolist(), strict=True)) == {"2": 1, "3": 0}
        assert (report.stored, report.changed_users) == ([], set())
