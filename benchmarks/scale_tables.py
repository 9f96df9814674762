"""Large tables for :mod:`benchmarks.scale`, made by writing data files directly and kept in .bench/.

Their rows are those that a real run made of generated input, repeated with other ids: sizes and columns are a real table's.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.run import FOLDER, UNTIL, raw_files, run, write_config
from streaming_app.config.model import Config
from streaming_app.lake.buckets import BucketWriter, modulus_for
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.lake import Lake
from streaming_app.lake.layout import LAYOUT_VERSION
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.query import dataset
from streaming_app.model.tables import EVENT, USER, Table
from streaming_app.plugins.load_config import load_config
from streaming_app.spark.table_stream import TableFile
from streaming_app.storage.files import Storage

TEMPLATE_EVENTS = 20_000
_CHUNK_ROWS = 500_000
_USER_BYTES = 130
"""Stored bytes of a row of ``user``, by which the number of buckets is planned."""


def template() -> tuple[Config, Lake]:
    """The configuration of all measurements, and a small lake that a real run made."""
    folder = FOLDER / f"template-{LAYOUT_VERSION}"
    raw, _ = raw_files(TEMPLATE_EVENTS)
    config = write_config(raw, folder)
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        run(config)
        (folder / "done").touch()
    return load_config(str(config)), Lake(str(folder.absolute()), Storage())


def lake_of_users(count: int) -> Lake:
    """A lake whose table ``user`` has so many rows, in buckets, and whose other tables are empty."""
    folder = FOLDER / f"users-{count}-{LAYOUT_VERSION}"
    lake = Lake(str(folder.absolute()), Storage())
    if (folder / "done").exists():
        return lake
    shutil.rmtree(folder, ignore_errors=True)
    lake.create_all()
    rows = dataset(template()[1], USER).to_table().select(USER.schema.names).cast(USER.schema)
    writer, modulus = BucketWriter(lake, USER), modulus_for(count * _USER_BYTES, 1)
    for first in range(0, count, _CHUNK_ROWS):
        ids = [user_id(number) for number in range(first, min(first + _CHUNK_ROWS, count))]
        writer.divide(_with_ids(rows, ids), modulus)
    commit(lake, USER, TableChange(writer.close(), [], []), TransactionId("scale", 0))
    (folder / "done").touch()
    return lake


def user_id(number: int) -> str:
    """An id as clients make them: its hash does not depend on its number."""
    return f"{number * 2654435761 % 2**32:08x}-{number:012d}"


def events_of_users(lake: Lake, ids: list[str]) -> list[TableFile]:
    """Write an event of each user, on one day; returns the file, which is not committed."""
    rows = dataset(template()[1], EVENT).to_table().select(EVENT.schema.names).cast(EVENT.schema)
    writer = PartitionWriter(EVENT, lake.uri(EVENT), lake.storage, "scale")
    for first in range(0, len(ids), _CHUNK_ROWS):
        writer.add(_on_one_day(_with_ids(rows, ids[first : first + _CHUNK_ROWS])))
    root = lake.uri(EVENT)
    return [TableFile(f"{root}/{file.path}", file.size, EVENT.name, file.app_id, file.day) for file in writer.close()]


@contextmanager
def kept_as_it_is(lake: Lake) -> Iterator[Lake]:
    """A lake whose files are afterwards those that were there before: data files are never changed, only added."""
    root = Path(lake.root)
    before = set(root.rglob("*"))
    try:
        yield lake
    finally:
        for path in set(root.rglob("*")) - before:
            if not path.is_dir():
                path.unlink()


def _with_ids(rows: pa.Table, ids: list[str]) -> pa.Table:
    taken = rows.take(pa.array(np.arange(len(ids)) % len(rows)))
    return taken.set_column(taken.column_names.index("user_pseudo_id"), "user_pseudo_id", pa.array(ids, pa.string()))


def _on_one_day(rows: pa.Table) -> pa.Table:
    day: date = UNTIL.date()
    for name in ("year", "month", "day"):
        column = pa.repeat(pa.scalar(getattr(day, name), rows.schema.field(name).type), len(rows))
        rows = rows.set_column(rows.column_names.index(name), name, column)
    return rows


def files_of(lake: Lake, table: Table) -> int:
    """Number of data files of a table in its folder."""
    return sum(1 for _ in Path(lake.uri(table)).rglob("*.parquet"))
