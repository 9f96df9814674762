"""Stores users and items that were set aside in ``quarantine``, a row for each, until a replay has computed their rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.derive.isolate import SetAside
from streaming_app.errors import Reason
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.rows import read_columns
from streaming_app.model.client_text import cut
from streaming_app.model.event import LONG
from streaming_app.model.tables import QUARANTINE

STAGE = "derive"
"""The value of ``quarantine.stage`` for a user or an item that was set aside; ``raw`` has its key."""


class DerivedKey(NamedTuple):
    """A user or an item, by the column that identifies it in its app."""

    app_id: str
    column: str
    id: str


class UnresolvedKey(NamedTuple):
    """A row of ``quarantine`` whose user or item has not been computed yet, and its file."""

    position: int
    key: DerivedKey
    since: datetime


def quarantine_keys(lake: Lake, failed: Iterable[SetAside], created_ms: int) -> None:
    """Add the keys that are not in ``quarantine`` yet, in one commit."""
    new = {DerivedKey(each.app_id, each.column, each.id): each for each in failed}
    if not new:
        return
    known = {row.key for file in live_files(lake.open(QUARANTINE)) for row in unresolved_keys(lake, file)}
    rows = [_row(key, each, created_ms) for key, each in sorted(new.items()) if key not in known]
    if rows:
        writer = PartitionWriter(QUARANTINE, lake.uri(QUARANTINE), lake.storage, "set-aside")
        writer.add(pa.Table.from_pylist(rows, schema=QUARANTINE.schema))
        commit(lake, QUARANTINE, TableChange(writer.close(), [], []), TransactionId.unique("set-aside"))


def unresolved_keys(lake: Lake, file: DataFile) -> list[UnresolvedKey]:
    """The rows of a file of ``quarantine`` whose users or items have not been computed yet."""
    columns = ["stage", "raw", "app_id", "created_time", "resolved_time"]
    rows = read_columns(f"{lake.uri(QUARANTINE)}/{file.path}", columns, lake.storage)
    waiting = pc.and_(pc.equal(rows["stage"], STAGE), pc.is_null(rows["resolved_time"]))
    positions = pc.indices_nonzero(pc.fill_null(waiting, False))
    found = zip(positions.to_pylist(), rows.take(positions).to_pylist(), strict=True)
    return [UnresolvedKey(position, _key(row["app_id"], row["raw"]), row["created_time"]) for position, row in found]


def _key(app_id: str, raw: str) -> DerivedKey:
    [(column, value)] = msgspec.json.decode(raw, type=dict[str, str]).items()
    return DerivedKey(app_id, column, value)


def _row(key: DerivedKey, failed: SetAside, created_ms: int) -> dict[str, Any]:
    created = datetime.fromtimestamp(created_ms / 1_000, UTC)
    return {
        "reason": Reason.DERIVE_ERROR,
        "stage": STAGE,
        "error_class": failed.error,
        "message": cut(f"its rows cannot be computed: {failed.message}", LONG),
        "raw": msgspec.json.encode({key.column: key.id}).decode(),
        "app_id": key.app_id,
        "created_time": created,
        "ingest_date": created.date(),
    }
