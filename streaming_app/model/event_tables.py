"""The tables whose rows clients sent: events, their items, changes of attributes; and the attributes of items."""

from __future__ import annotations

from streaming_app.model.change import Change
from streaming_app.model.columns import bigint, boolean, columns_of, date, integer, json_text, text, timestamp
from streaming_app.model.event import URL, Event
from streaming_app.model.item import Item
from streaming_app.model.table_contract import CREATED, Table, of_event, some_of, with_names

_DAY = with_names(
    event_date=date("day of event_timestamp, UTC", stats=True),
    year=integer("year of event_timestamp, UTC"),
    month=integer("month of event_timestamp, UTC"),
    day=integer("day of event_timestamp, UTC"),
)
_TIME = with_names(event_timestamp=timestamp("event time, UTC", stats=True))
_LINEAGE = with_names(
    request_id=text("id of the request, as the server wrote it"),
    source_file=text("raw file", URL, stats=True),
    source_line=bigint("line in the raw file, from 1"),
)
_PER_DAY = ("app_id", "year", "month", "day")

EVENT = Table(
    "event",
    "One row per event: the source of truth.",
    _TIME + tuple(columns_of(Event)) + _LINEAGE + CREATED + _DAY,
    partition_by=_PER_DAY,
    key=("app_id", "event_id"),
)

ITEM = Table(
    "item",
    "One row per item of an event.",
    _TIME
    + of_event("event_id", "event_name", "platform", "user_pseudo_id", "user_id", "app_id")
    + with_names(item_index=integer("position of the item in its event, from 0"))
    + tuple(columns_of(Item))
    + of_event("process_info")
    + _LINEAGE
    + CREATED
    + _DAY,
    partition_by=_PER_DAY,
    key=("app_id", "event_id", "item_index"),
)

CHANGE = Table(
    "change",
    "One row per change of a user's or an item's attributes that came as a message of its own (Sensors Data).",
    _TIME + tuple(columns_of(Change)) + _LINEAGE + CREATED + _DAY,
    partition_by=_PER_DAY,
    key=("app_id", "event_id"),
)

ITEM_ATTRIBUTES = Table(
    "item_attributes",
    "One row per item whose attributes were set by messages of its own: what holds after all changes.",
    with_names(event_timestamp=timestamp("latest change of the item, UTC", stats=True))
    + some_of(Change, "app_id", "item_type", "item_id")
    + with_names(
        is_deleted=boolean("the latest change deleted the item"),
        attributes_json_str=json_text("attributes, {name: {value, set_time_msec}}"),
        created_time=timestamp("when the row was last written, UTC"),
    ),
    partition_by=("app_id",),
    key=("app_id", "item_type", "item_id"),
    bucket_by="item_id",
)
