"""Finds the users and items of new files of ``change``, and reads all of their changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.derive.attributes import LOG_COLUMNS, Folded, fold, remaining
from streaming_app.derive.isolate import ITEM, SetAside, compute_isolated, failed_by_app
from streaming_app.derive.set_aside import quarantine_keys
from streaming_app.lake.buckets import files_with_ids
from streaming_app.lake.commit import TransactionId, commit
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.query import dataset
from streaming_app.lake.upsert import exclude, find_matching_files, rows_with_key_in, write_upsert
from streaming_app.model.arrow import as_timestamp, drop_largest
from streaming_app.model.tables import CHANGE, ITEM_ATTRIBUTES

if TYPE_CHECKING:
    from streaming_app.spark.table_stream import TableFile

Keys = dict[str, pa.Array]
"""App id to the ids of users or items."""

_MAX_BYTES = next(column.max_bytes or 0 for column in ITEM_ATTRIBUTES.columns if column.name == "attributes_json_str")


def changed_keys(lake: Lake, files: Iterable[TableFile], column: str) -> Keys:
    """The distinct values of a column in some files of ``change``, by app."""
    found: dict[str, list[pa.Array]] = {}
    for file in files:
        system, path = lake.storage.filesystem(file.uri)
        values = pq.read_table(path, columns=[column], filesystem=system, partitioning=None)[column]
        found.setdefault(file.app_id, []).append(pc.unique(values.drop_null()))
    return {app_id: pc.unique(pa.chunked_array(parts)) for app_id, parts in found.items()}


def read_changes(lake: Lake, keys: Keys, column: str) -> pa.Table:
    """All changes of some users or items."""
    log = dataset(lake, CHANGE)
    wanted = [(pc.field("app_id") == app_id) & pc.field(column).isin(ids) for app_id, ids in keys.items() if len(ids)]
    columns = ["app_id", *LOG_COLUMNS]
    empty = pa.schema([CHANGE.schema.field(name) for name in columns]).empty_table()
    return pa.concat_tables([empty, *(log.to_table(columns=columns, filter=each) for each in wanted)])


def upsert_items(lake: Lake, keys: Keys, created_ms: int, transaction: TransactionId) -> list[SetAside]:
    """Update the attributes of some items; returns the items that were set aside, whose rows are unchanged."""
    if not any(len(ids) for ids in keys.values()):
        return []
    changes = read_changes(lake, keys, ITEM)
    changes = changes.filter(pc.starts_with(changes["event_name"], "item_"))
    computed, failed = compute_isolated(_item_rows, changes, column=ITEM)
    quarantine_keys(lake, failed, created_ms)
    rows = pa.concat_tables([_ITEM_SCHEMA.empty_table(), *computed])
    rows = rows.append_column("event_timestamp", as_timestamp(rows["event_time_msec"]))
    created = pa.chunked_array([pa.repeat(pa.scalar(created_ms, pa.int64()), len(rows))])
    rows = rows.append_column("created_time", as_timestamp(created)).select(ITEM_ATTRIBUTES.schema.names)
    target = lake.open(ITEM_ATTRIBUTES)
    stored = files_with_ids(live_files(target, keys), keys)
    matched = find_matching_files(lake, ITEM_ATTRIBUTES, stored, (ITEM,), rows_with_key_in(keys))
    to_replace = exclude(matched, ITEM, failed_by_app(failed))
    if change := write_upsert(lake, ITEM_ATTRIBUTES, stored, to_replace, rows.cast(ITEM_ATTRIBUTES.schema)):
        commit(lake, ITEM_ATTRIBUTES, change, transaction, target)
    return failed


_ITEM_SCHEMA = pa.schema(
    [
        *(ITEM_ATTRIBUTES.schema.field(name) for name in ("app_id", "item_type", "item_id")),
        ("event_time_msec", pa.int64()),
        ("is_deleted", pa.bool_()),
        ("attributes_json_str", pa.string()),
    ]
)


def _item_rows(changes: pa.Table) -> pa.Table:
    """Rows of items, without the columns of time, from all of their changes."""
    return pa.Table.from_pylist([_item_row(each) for each in fold(changes, "app_id", "item_type", "item_id")], _ITEM_SCHEMA)


def _item_row(item: Folded) -> dict[str, object]:
    app_id, item_type, item_id = item.key
    left = remaining(item.attributes)
    return {
        "app_id": app_id,
        "item_type": item_type,
        "item_id": item_id,
        "event_time_msec": item.last["event_time_msec"],
        "is_deleted": item.last["event_name"] == "item_delete",
        "attributes_json_str": drop_largest(msgspec.json.encode(left).decode(), _MAX_BYTES)[0] if left else None,
    }
