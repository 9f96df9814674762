"""Anonymising rows: the columns listed here are kept, all others are set to null.

The list names what is kept, so that a column that is added later is removed until it is listed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.model.lineage import LINEAGE_COLUMNS
from streaming_app.model.tables import EVENT, ITEM, Table

REPLACED = frozenset({"event_id", "user_pseudo_id", "session_id"})
"""Ids that link rows: each becomes a digest with a key that is not kept. Clients derive event and session ids from user
ids."""

WITHOUT_QUERY = frozenset({"page_view_page_url"})
"""URLs whose query and fragment, where people are named, are cut off."""

_DAY = ("year", "month", "day")
_WHEN = ("event_timestamp", "event_date", "event_time_msec", "ingest_time_msec", "session_start_time_msec", "created_time", *_DAY)
_WHAT = ("event_name", "event_value", "event_value_currency", "project_id", "app_id", "app_package_id", "app_version", "platform")
_HOW_LONG = (
    "screen_view_engagement_time_msec",
    "page_view_engagement_time_msec",
    "user_engagement_time_msec",
    "scroll_engagement_time_msec",
    "session_duration",
    "session_number",
)
_WHERE = (
    "screen_view_screen_name",
    "screen_view_entrances",
    "page_view_page_url_path",
    "page_view_hostname",
    "page_view_entrances",
    "geo_continent",
    "geo_sub_continent",
    "geo_country",
    "geo_country_code",
)
_FROM = tuple(f"traffic_source_{name}" for name in ("source", "medium", "campaign", "clid_platform", "channel_group", "category"))
_BY_WHAT = (
    "device_operating_system",
    "device_ua_browser",
    "device_ua_os",
    "device_ua_device_category",
    "sdk_version",
    "sdk_name",
    "is_bot",
    "bot_source",
)

STAYING = {
    EVENT.name: frozenset((*_WHEN, *_WHAT, *_HOW_LONG, *_WHERE, *_FROM, *_BY_WHAT)),
    ITEM.name: frozenset(ITEM.schema.names) - {"user_id", "custom_parameters_json_str", *LINEAGE_COLUMNS} - REPLACED,
}
"""Columns that stay as they are, by table."""

_SIZE = 16


def anonymise_rows(table: Table, rows: pa.Table, which: pa.Array, secret: bytes) -> pa.Table:
    """The rows, those of the person (``which``) without what identifies them."""
    staying = STAYING[table.name]
    columns = []
    for name in table.schema.names:
        column = rows[name].combine_chunks()
        if name in REPLACED:
            column = _map_selected(column, which, lambda value: digest(value, secret))
        elif name in WITHOUT_QUERY:
            column = _map_selected(column, which, _strip_query)
        elif name not in staying:
            column = pc.if_else(which, pa.scalar(None, column.type), column)
        columns.append(column)
    return pa.table(columns, schema=table.schema)


def digest(value: str, secret: bytes) -> str:
    """A pseudonym of an id: equal ids have equal digests as long as the secret is the same."""
    return f"erased-{hashlib.blake2b(value.encode(), key=secret, digest_size=_SIZE).hexdigest()}"


def _strip_query(url: str) -> str:
    return url.partition("?")[0].partition("#")[0]


def _map_selected(column: pa.Array, which: pa.Array, change: Callable[[str], str]) -> pa.Array:
    values = zip(column.to_pylist(), which.to_pylist(), strict=True)
    return pa.array([change(value) if is_person and value is not None else value for value, is_person in values], column.type)
