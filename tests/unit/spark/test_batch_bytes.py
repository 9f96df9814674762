"""A micro-batch of derive is as large as the table that it may have to write again."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, stored_bytes
from streaming_app.model.tables import USER
from streaming_app.spark.table_stream import BATCH_BYTES_PER_CORE, MAX_BATCH_BYTES, _batch_bytes
from streaming_app.storage.files import Storage


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, 2 * BATCH_BYTES_PER_CORE), (5 * BATCH_BYTES_PER_CORE, 5 * BATCH_BYTES_PER_CORE), (1 << 40, MAX_BATCH_BYTES)],
)
def test_a_micro_batch_is_as_large_as_the_stored_users(size: int, expected: int, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path), Storage())
    lake.create_all()
    if size:
        commit(lake, USER, TableChange([DataFile("x.parquet", {"app_id": "a"}, size, 1)], [], []), TransactionId.unique("x"))
    assert stored_bytes(lake.open(USER)) == size
    assert _batch_bytes(lake, 2) == expected
