"""Computes users: from events to aggregates, from aggregates to rows. Arrow in, Arrow out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.derive.attributes import Folded, FoldedSoFar, fold, merge_attributes
from streaming_app.derive.rules import (
    EVENT_ORDER,
    USER_FIRST_OR_LAST,
    USER_FOLDS,
    Steps,
    combine_steps,
    event_to_aggregate_sql,
    to_sql,
)
from streaming_app.lake.duckdb import query
from streaming_app.model.arrow import as_date, as_epoch_ms, as_timestamp, drop_largest
from streaming_app.model.merge_state import MERGE_STATE, flat_types, pack_merge_state, unpack_merge_state
from streaming_app.model.tables import EVENT, TRAFFIC, USER
from streaming_app.model.times import LATEST_MS, is_time, iso_time

KEYS = "app_id, user_pseudo_id"
PROFILE_EVENTS = ("_profile_set",)
"""Events whose user attributes are merged; in some apps these are all events."""

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
"""Columns of ``event`` that are read, in addition to app_id."""

_PROPERTIES = ("user_properties_json_str", "user_properties_as_of", "changed_properties_json_str", "changed_as_of")
AGGREGATE_COLUMNS = (
    "app_id",
    "user_pseudo_id",
    *USER_FOLDS,
    *(name for pick in USER_FIRST_OR_LAST for name in (pick.as_of, *pick.columns)),
    *_PROPERTIES,
)
_TYPES = {"last_msec": pa.int64(), **flat_types(USER)}
AGGREGATE_SCHEMA = pa.schema([(name, _TYPES[name]) for name in AGGREGATE_COLUMNS])

_COMBINED_PROPERTIES = {
    "properties": "list(user_properties_json_str) FILTER (user_properties_json_str IS NOT NULL)",
    "user_properties_as_of": "max(user_properties_as_of)",
    "changed_properties_json_str": "arg_max(changed_properties_json_str, changed_as_of)",
    "changed_as_of": "max(changed_as_of)",
}


def aggregate_events(events: pa.Table, in_all_events: Collection[str] = ()) -> pa.Table:
    """Aggregate events by user; ``user_properties_json_str`` of an aggregate has the attributes that events set.

    ``in_all_events`` are the apps in which every event may carry user attributes.
    """
    of_name, of_app = (
        pc.is_in(events[name], pa.array(values, pa.string()))
        for name, values in (("event_name", PROFILE_EVENTS), ("app_id", list(in_all_events)))
    )
    events = events.append_column("carries_profile", pc.or_(of_name, of_app))
    profile = "carries_profile AND user_properties_json_str IS NOT NULL"
    # The time precedes the properties: it is the set time of those without one of their own.
    sent = "event_time_msec || ' ' || user_properties_json_str"
    by_event = f"""
        SELECT {KEYS},
            {event_to_aggregate_sql(USER_FOLDS, USER_FIRST_OR_LAST)},
            CASE WHEN {profile} THEN {sent} END AS user_properties_json_str,
            CASE WHEN {profile} THEN {EVENT_ORDER} END AS user_properties_as_of,
            NULL::VARCHAR AS changed_properties_json_str,
            NULL::VARCHAR AS changed_as_of
        FROM events WHERE coalesce(user_pseudo_id, '') <> ''"""
    return _combine({"by_event": by_event}, events=events)


def aggregate_changes(changes: pa.Table, so_far: Mapping[tuple[str, str], FoldedSoFar] | None = None) -> pa.Table:
    """Aggregate changes by user; ``changes`` must include all changes of these users, or all that are later than those of
    ``so_far`` (by app and user)."""
    of_users = changes.filter(pc.and_(pc.is_valid(changes["user_pseudo_id"]), pc.starts_with(changes["event_name"], "profile_")))
    missing = [name for name in EVENT_COLUMNS if name not in of_users.column_names]
    events = pa.table({name: of_users[name] for name in ("app_id", *EVENT_COLUMNS) if name not in missing})
    for name in missing:
        events = events.append_column(name, pa.nulls(len(events), EVENT.schema.field(name).type))
    aggregates = aggregate_events(events)
    folded = {each.key: each for each in fold(of_users, "app_id", "user_pseudo_id", so_far=so_far)}
    users = zip(aggregates["app_id"].to_pylist(), aggregates["user_pseudo_id"].to_pylist(), strict=True)
    of_users_in_order = [folded[user] for user in users]
    changed = [_as_columns(each) for each in of_users_in_order]
    columns = {
        "changed_properties_json_str": pa.array([text for text, _ in changed], pa.string()),
        "changed_as_of": pa.array([as_of for _, as_of in changed], pa.string()),
        "first_touch_time_msec": pa.nulls(len(aggregates), pa.int64()),  # a change is not a visit
    }
    for name, values in columns.items():
        aggregates = aggregates.set_column(aggregates.column_names.index(name), name, values)
    return aggregates.cast(AGGREGATE_SCHEMA)


_COMPLETE, _SHORTENED = "all", "shortened"


def _as_columns(folded: Folded) -> tuple[str, str]:
    """The attributes that changes made as text, and the state that it is of: how many changes, the time of the latest, and
    whether the text has all attributes. The larger of two is the later state."""
    text = msgspec.json.encode(folded.attributes, order="sorted").decode()
    shortened, _ = drop_largest(text, _MAX_BYTES)
    completeness = _COMPLETE if shortened == text else _SHORTENED
    return shortened, f"{folded.count:015d}\t{folded.last['event_time_msec']:015d}\t{completeness}"


def folded_so_far(text: str | None, as_of: str | None) -> FoldedSoFar | None:
    """What the changes of a user made so far, from the columns of an aggregate; None if it cannot be continued: attributes were
    left out, or an older version wrote it."""
    if as_of is None:
        return FoldedSoFar()
    count, last_msec, *completeness = as_of.split("\t")
    return FoldedSoFar(int(count), int(last_msec), _properties(text or "{}")) if completeness == [_COMPLETE] else None


def combine_aggregates(aggregates: pa.Table) -> pa.Table:
    """Combine aggregates into one per user."""
    return _combine({"by_part": "SELECT * FROM aggregates"}, aggregates=aggregates)


def _combine(steps: Steps, **tables: pa.Table) -> pa.Table:
    """Combine the result of the last step by user."""
    steps |= combine_steps([*steps][-1], KEYS, USER_FOLDS, USER_FIRST_OR_LAST, _COMBINED_PROPERTIES)
    found = query(to_sql(steps), **tables)
    merged = [sent and merge_properties(sent) for sent in found["properties"].to_pylist()]
    found = found.append_column("user_properties_json_str", pa.array(merged, pa.string()))
    return found.select(AGGREGATE_COLUMNS).cast(AGGREGATE_SCHEMA)


def _is_time(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.and_(pc.greater_equal(values, 0), pc.less_equal(values, LATEST_MS))


def aggregates_of_rows(rows: pa.Table) -> pa.Table:
    """Rows of ``user`` as aggregates."""
    columns = {name: rows[name] for name in rows.column_names} | unpack_merge_state(USER, rows)
    columns["last_msec"] = as_epoch_ms(rows["event_timestamp"])
    apart = pc.or_(pc.is_valid(columns["changed_as_of"]), pc.is_valid(columns["event_properties_json_str"]))
    from_events = pc.if_else(apart, columns["event_properties_json_str"], rows["user_properties_json_str"])
    columns["user_properties_json_str"] = from_events
    columns["first_touch_time_msec"] = pc.if_else(_is_time(rows["first_touch_time_msec"]), rows["first_touch_time_msec"], None)
    return pa.table([columns[name] for name in AGGREGATE_COLUMNS], names=list(AGGREGATE_COLUMNS)).cast(AGGREGATE_SCHEMA)


MAX_ATTRIBUTES = 256
"""Maximum number of attributes of a user, the first by name; an attribute that is dropped once is dropped for good."""
MAX_ATTRIBUTE_BYTES = 16_384
"""Maximum bytes of an attribute's value; a larger value is ignored."""


def merge_properties(sent: list[str]) -> str:
    """Merge JSON objects {name: {value, set_time_msec}}, each optionally preceded by the time it was sent (epoch ms).

    The newest value of each property is kept; on a tie, the one with the larger JSON text. The result is bounded by rules on
    single values or on names only, so that it does not depend on the order of merging.
    """
    newest: dict[str, tuple[int, bytes]] = {}
    for text in sent:
        time, _, properties = text.partition(" ") if text[0] != "{" else ("0", "", text)
        for name, given in _properties(properties).items():
            value = msgspec.json.encode(given.get("value"))
            if len(value) <= MAX_ATTRIBUTE_BYTES:
                rank = (_set_time(given, int(time)), value)
                newest[name] = max(newest.get(name, rank), rank)
    kept = sorted(newest.items())[:MAX_ATTRIBUTES]
    merged = {name: {"value": msgspec.Raw(value), "set_time_msec": time} for name, (time, value) in kept}
    return msgspec.json.encode(merged).decode()


def _set_time(given: dict[str, Any], sent: int) -> int:
    """The set time of an attribute; if that is missing or invalid, the time of its event."""
    set_time = given.get("set_time_msec")
    return set_time if set_time.__class__ is int and is_time(set_time) else sent


_MAX_BYTES = next(column.max_bytes or 0 for column in USER.columns if column.name == "user_properties_json_str")


def _properties(text: str) -> dict[str, dict[str, Any]]:
    fields = msgspec.json.decode(text)
    return {name: given for name, given in fields.items() if isinstance(given, dict)} if isinstance(fields, dict) else {}


def rows_from_aggregates(aggregates: pa.Table, job_id: str, created_ms: int) -> pa.Table:
    """Rows of ``user`` from combined aggregates."""
    columns: dict[str, Any] = {name: aggregates[name] for name in aggregates.column_names}
    first_touch = aggregates["first_touch_time_msec"]
    created = pa.chunked_array([pa.repeat(pa.scalar(created_ms, pa.int64()), len(aggregates))])
    columns["event_timestamp"], columns["created_time"] = as_timestamp(aggregates["last_msec"]), as_timestamp(created)
    columns["first_visit_date"] = as_date(as_timestamp(first_touch))
    from_events, from_changes = aggregates["user_properties_json_str"], aggregates["changed_properties_json_str"]
    is_long = pc.fill_null(pc.greater(pc.binary_length(from_events), _MAX_BYTES), False)
    columns["event_properties_json_str"] = pc.if_else(pc.or_(pc.is_valid(from_changes), is_long), from_events, None)
    merged = map(_merge_texts, from_events.to_pylist(), from_changes.to_pylist())
    columns["user_properties_json_str"] = pa.array(merged, pa.string())
    orders = zip(aggregates["first_traffic_as_of"].to_pylist(), aggregates["user_properties_as_of"].to_pylist(), strict=True)
    columns["process_info"] = pa.array(
        [_process_info(first, latest, job_id, created_ms) for first, latest in orders], pa.string()
    )
    columns[MERGE_STATE] = pack_merge_state(USER, columns)
    return pa.table([columns[column.name] for column in USER.columns], schema=USER.schema)


def _merge_texts(from_events: str | None, from_changes: str | None) -> str | None:
    """Merge user attributes as JSON text; null if there are none."""
    if from_changes is None:
        return from_events and drop_largest(from_events, _MAX_BYTES)[0]
    merged = merge_attributes(_properties(from_events or "{}"), _properties(from_changes))
    return _as_text(merged) if merged else None


def _as_text(attributes: dict[str, Any]) -> str:
    return drop_largest(msgspec.json.encode(attributes, order="sorted").decode(), _MAX_BYTES)[0]


def _process_info(first: str | None, latest: str | None, job_id: str, created_ms: int) -> str:
    info = {
        "first_event_name": first and first.rpartition("\t")[2],
        "latest_event_name": latest and latest.rpartition("\t")[2],
        "process_job_id": job_id,
        "process_time": iso_time(created_ms),
    }
    return msgspec.json.encode(info).decode()
