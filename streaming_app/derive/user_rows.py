"""Users: from events to states, from states to rows. Arrow in, Arrow out."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa

from streaming_app.derive.engine import query
from streaming_app.derive.rules import EVENT_ORDER, USER_FOLDS, USER_PICKS, combine, unit_columns
from streaming_app.model.arrow import as_epoch_ms, as_timestamp, drop_largest
from streaming_app.model.tables import TRAFFIC, USER
from streaming_app.model.times import iso_time

KEYS = "app_id, user_pseudo_id"
PROFILE_EVENTS = ("_profile_set",)
"""Events that carry changes of user attributes."""

EVENT_COLUMNS = (
    "event_id",
    "event_name",
    "event_time_msec",
    "user_pseudo_id",
    "user_id",
    "user_first_touch_time_msec",
    "page_view_page_referrer",
    "app_install_source",
    "user_properties_json_str",
    *(f"traffic_source_{suffix}" for suffix in TRAFFIC),
)
"""What is read of ``event``, besides its app_id."""

_PROPERTIES = ("user_properties_json_str", "user_properties_as_of")
STATE_COLUMNS = (
    "app_id",
    "user_pseudo_id",
    *USER_FOLDS,
    *(name for pick in USER_PICKS for name in (pick.as_of, *pick.columns)),
    *_PROPERTIES,
)
STATE_SCHEMA = pa.schema([(name, pa.int64() if name == "last_msec" else USER.schema.field(name).type) for name in STATE_COLUMNS])

_MERGED = (
    ", list(user_properties_json_str) FILTER (user_properties_json_str IS NOT NULL) AS properties"
    ", max(user_properties_as_of) AS user_properties_as_of"
)


def states_of(events: pa.Table) -> pa.Table:
    """One state per user of some events."""
    profile = f"event_name IN ({', '.join(map(repr, PROFILE_EVENTS))}) AND user_properties_json_str IS NOT NULL"
    # The time stands before the properties: those without a set time of their own were set then.
    sent = f"CASE WHEN {profile} THEN event_time_msec || ' ' || user_properties_json_str END AS user_properties_json_str"
    units = (
        f"SELECT {KEYS}, {unit_columns(USER_FOLDS, USER_PICKS)}, {sent}, "
        f"CASE WHEN {profile} THEN {EVENT_ORDER} END AS user_properties_as_of "
        "FROM events WHERE coalesce(user_pseudo_id, '') <> ''"
    )
    return _combined(units, events=events)


def combine_states(states: pa.Table) -> pa.Table:
    """One state per user of many."""
    return _combined("SELECT * FROM states", states=states)


def _combined(source: str, **tables: pa.Table) -> pa.Table:
    sql = combine(source, KEYS, USER_FOLDS, USER_PICKS, _MERGED, ", properties, user_properties_as_of")
    found = query(sql, **tables)
    merged = [sent and merge_properties(sent) for sent in found["properties"].to_pylist()]
    found = found.append_column("user_properties_json_str", pa.array(merged, pa.string()))
    return found.select(STATE_COLUMNS).cast(STATE_SCHEMA)


def as_states(rows: pa.Table) -> pa.Table:
    """Rows of ``user`` as the states that they are."""
    last = as_epoch_ms(rows["event_timestamp"])
    return rows.append_column("last_msec", last).select(STATE_COLUMNS).cast(STATE_SCHEMA)


def merge_properties(sent: list[str]) -> str:
    """One JSON object {name: {value, set_time_msec}} of many, each maybe after the time it was sent (epoch ms).

    Of each property the newest stays; of two that are equally new, the one whose JSON text is larger.
    """
    newest: dict[str, tuple[int, bytes]] = {}
    for text in sent:
        time, _, properties = text.partition(" ") if text[0] != "{" else ("0", "", text)
        for name, given in _properties(properties).items():
            set_time = given.get("set_time_msec")
            rank = (int(time) if set_time is None else set_time, msgspec.json.encode(given.get("value")))
            newest[name] = max(newest.get(name, rank), rank)
    merged = {name: {"value": msgspec.Raw(value), "set_time_msec": time} for name, (time, value) in sorted(newest.items())}
    return drop_largest(msgspec.json.encode(merged).decode(), _MAX_BYTES)[0]


_MAX_BYTES = next(column.max_bytes or 0 for column in USER.columns if column.name == "user_properties_json_str")


def _properties(text: str) -> dict[str, dict[str, Any]]:
    fields = msgspec.json.decode(text)
    return {name: given for name, given in fields.items() if isinstance(given, dict)} if isinstance(fields, dict) else {}


def rows_of(states: pa.Table, job_id: str, created_ms: int) -> pa.Table:
    """Rows of ``user`` from combined states."""
    columns: dict[str, Any] = {name: states[name] for name in states.column_names}
    touched = states["first_touch_time_msec"]
    created = pa.chunked_array([pa.repeat(pa.scalar(created_ms, pa.int64()), len(states))])
    columns["event_timestamp"], columns["created_time"] = as_timestamp(states["last_msec"]), as_timestamp(created)
    columns["first_visit_date"] = as_timestamp(touched).cast(pa.timestamp("us")).cast(pa.date32())
    orders = zip(states["first_traffic_as_of"].to_pylist(), states["user_properties_as_of"].to_pylist(), strict=True)
    columns["process_info"] = pa.array(
        [_process_info(first, latest, job_id, created_ms) for first, latest in orders], pa.string()
    )
    return pa.table([columns[column.name] for column in USER.columns], schema=USER.schema)


def _process_info(first: str | None, latest: str | None, job_id: str, created_ms: int) -> str:
    info = {
        "first_event_name": first and first.rpartition("\t")[2],
        "latest_event_name": latest and latest.rpartition("\t")[2],
        "process_job_id": job_id,
        "process_time": iso_time(created_ms),
    }
    return msgspec.json.encode(info).decode()
