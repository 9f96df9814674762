"""The submitter knows about how many users are stored, from the log of their table."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.model.tables import USER
from streaming_app.storage.any_objects import AnyObjects
from streaming_app.storage.files import Storage
from submitter.stored_users import stored_users


def users(lake: Lake, commit_number: int, count: int, replaced: int = 0) -> None:
    """A commit of a file with some users, in place of others."""
    writer = PartitionWriter(USER, lake.uri(USER), lake.storage, "x")
    rows = [{"app_id": "shop", "user_pseudo_id": f"{commit_number}-{number}"} for number in range(count)]
    writer.add(pa.Table.from_pylist(rows, schema=USER.schema))
    table = lake.open(USER)
    commit(lake, USER, TableChange(writer.close(), live_files(table)[:replaced], []), TransactionId("test", commit_number))


@pytest.mark.parametrize("commits", [1, 9, 10, 11, 25])
@pytest.mark.parametrize("replaced", [0, 1])
def test_files_of_the_log_times_rows_of_a_file(commits: int, replaced: int, tmp_path: Path) -> None:
    """Before, at, and after a checkpoint, whether or not a commit removes a file."""
    lake = Lake(str(tmp_path), Storage())
    uri = lake.uri(USER)
    assert stored_users(AnyObjects(), uri) == 0
    lake.create_all()
    assert stored_users(AnyObjects(), uri) == 0
    for number in range(commits):
        users(lake, number, 100, replaced if number > 2 else 0)
        if number % 10 == 9:
            lake.open(USER).create_checkpoint()
    stored = sum(file.rows for file in live_files(lake.open(USER)))
    assert stored_users(AnyObjects(), uri) == stored == 100 * (commits if not replaced else min(commits, 3))
