"""The contract of every table: its columns in order, its partitions, its key. Schemas and documentation come from here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from streaming_app.model.change import Change
from streaming_app.model.columns import Column, bigint, boolean, columns_of, date, double, integer, json_text, text, timestamp
from streaming_app.model.event import LONG, URL, Event
from streaming_app.model.item import Item


@dataclass(frozen=True)
class Table:
    """A Delta table: ``key`` is what makes a row unique (empty for append-only logs); ``bucket_by`` is the id by whose hash the
    files of a partition are divided (empty for tables whose rows are not replaced)."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    bucket_by: str = ""

    @cached_property
    def schema(self) -> pa.Schema:
        """Arrow schema of a whole row."""
        return pa.schema([pa.field(column.name, column.arrow) for column in self.columns])

    @cached_property
    def file_schema(self) -> pa.Schema:
        """Arrow schema of a data file: partition values are in the Delta log only."""
        return pa.schema([field for field in self.schema if field.name not in self.partition_by])

    @cached_property
    def stats_columns(self) -> tuple[str, ...]:
        """Columns with min and max in the Delta log: only those that queries filter by, because statistics have a cost."""
        return tuple(column.name for column in self.columns if column.stats)

    @cached_property
    def unbounded_columns(self) -> frozenset[str]:
        """Text columns that the contract does not limit: raw text and envelopes of requests."""
        return frozenset(column.name for column in self.columns if column.type == "string" and column.max_bytes is None)


def _with_names(**columns: Column) -> tuple[Column, ...]:
    return tuple(replace(column, name=name) for name, column in columns.items())


def _only(struct: type[Any], *names: str) -> tuple[Column, ...]:
    """Some columns of a typed row."""
    known = {column.name: column for column in columns_of(struct)}
    return tuple(known[name] for name in names)


def _of(*names: str) -> tuple[Column, ...]:
    """Columns of ``event`` that another table repeats."""
    return _only(Event, *names)


_DAY = _with_names(
    year=integer("year of event_timestamp, UTC"),
    month=integer("month of event_timestamp, UTC"),
    day=integer("day of event_timestamp, UTC"),
)
_TIME = _with_names(event_timestamp=timestamp("event time, UTC", stats=True))
_CREATED = _with_names(created_time=timestamp("when the micro-batch that wrote the row began, UTC"))
_USER = _of("app_id", "user_pseudo_id", "user_id")
_PER_DAY = ("app_id", "year", "month", "day")

EVENT = Table(
    "event",
    "One row per event: the source of truth.",
    _TIME + tuple(columns_of(Event)) + _CREATED + _DAY,
    partition_by=_PER_DAY,
    key=("app_id", "event_id"),
)

ITEM = Table(
    "item",
    "One row per item of an event.",
    _TIME
    + _of("event_id", "event_name", "platform", "user_pseudo_id", "user_id", "app_id")
    + _with_names(item_index=integer("position of the item in its event, from 0"))
    + tuple(columns_of(Item))
    + _of("process_info")
    + _CREATED
    + _DAY,
    partition_by=_PER_DAY,
    key=("app_id", "event_id", "item_index"),
)

CHANGE = Table(
    "change",
    "One row per change of a user's or an item's attributes that came as a message of its own (Sensors Data).",
    _TIME + tuple(columns_of(Change)) + _CREATED + _DAY,
    partition_by=_PER_DAY,
    key=("app_id", "event_id"),
)

ITEM_ATTRIBUTES = Table(
    "item_attributes",
    "One row per item whose attributes were set by messages of its own: what holds after all changes.",
    _with_names(event_timestamp=timestamp("latest change of the item, UTC", stats=True))
    + _only(Change, "app_id", "item_type", "item_id")
    + _with_names(
        is_deleted=boolean("the latest change deleted the item"),
        attributes_json_str=json_text("attributes, {name: {value, set_time_msec}}"),
        created_time=timestamp("when the row was last written, UTC"),
    ),
    partition_by=("app_id",),
    key=("app_id", "item_type", "item_id"),
    bucket_by="item_id",
)

TRAFFIC = ("source", "medium", "campaign", "content", "term", "campaign_id", "clid_platform", "clid", "channel_group", "category")
"""Suffixes of the ten ``traffic_source_*`` columns of ``event``."""

_LONG_TRAFFIC = {"content", "term", "clid"}


def _traffic(prefix: str, renamed: dict[str, str], meaning: str) -> tuple[Column, ...]:
    return tuple(
        Column(
            "string",
            f"{suffix} of {meaning}",
            LONG if suffix in _LONG_TRAFFIC else 255,
            name=prefix + renamed.get(suffix, suffix),
        )
        for suffix in TRAFFIC
    )


USER_TRAFFIC = _traffic("first_traffic_", {}, "the earliest event with a source")
SESSION_TRAFFIC = _traffic(
    "session_", {"category": "source_category"}, "the earliest event with a source that is not Direct, else of the earliest"
)
MERGED_BYTES = 4 << 20
"""Maximum bytes of a user's attributes that are kept for later merges: more than the merge rules ever produce."""
_AS_OF = "which event supplied it: event time (15 digits, epoch ms), event_id and event name; decides which of two wins"

USER = Table(
    "user",
    "One row per user_pseudo_id of an app.",
    _with_names(event_timestamp=timestamp("latest event of the user, UTC", stats=True))
    + _USER
    + _with_names(
        user_id_as_of=text("user_id: " + _AS_OF, LONG),
        user_properties_json_str=json_text(
            "user attributes, {name: {value, set_time_msec}}: the newest of each that events told, after all changes"
        ),
        user_properties_as_of=text("the newest user_properties: " + _AS_OF, LONG),
        event_properties_json_str=json_text(
            "what events told of user_properties_json_str, where there are changes besides or that had to be shortened",
            MERGED_BYTES,
        ),
        changed_properties_json_str=json_text("what changes made of user attributes, {name: {value or null, set_time_msec}}"),
        changed_as_of=text("how many changes (15 digits), and when the latest was: the larger of two is the later state"),
        first_touch_time_msec=bigint("smallest first touch that an event tells, or its own time where it tells none, epoch ms"),
        first_visit_date=date("day of first_touch_time_msec, UTC"),
        first_referrer=text("page referrer of the earliest event that has one", URL),
        first_referrer_as_of=text("first_referrer: " + _AS_OF, LONG),
    )
    + USER_TRAFFIC
    + _with_names(
        first_traffic_as_of=text("first_traffic_*: " + _AS_OF, LONG),
        first_app_install_source=text("install source of the earliest event that has one"),
        first_app_install_source_as_of=text("first_app_install_source: " + _AS_OF, LONG),
        process_info=json_text("lineage: names of the events that supplied first_traffic_* and user_properties, job"),
        created_time=timestamp("when the row was last written, UTC"),
    ),
    partition_by=("app_id",),
    key=("app_id", "user_pseudo_id"),
    bucket_by="user_pseudo_id",
)

SESSION = Table(
    "session",
    "One row per session: all its events.",
    _with_names(event_timestamp=timestamp("first event of the session, UTC", stats=True))
    + _of("app_id", "user_pseudo_id")
    + _with_names(
        session_id=text("the client's session id; of an inferred session its start in the same format"),
        is_inferred=boolean("the client sent no session id: delimited by inactivity"),
        user_id=text("latest login id in the session"),
        user_id_as_of=text("user_id: " + _AS_OF, LONG),
        session_number=bigint("ordinal of the session as the client counts it"),
        session_start_time_msec=bigint("earliest event, or the client's own start where earlier, epoch ms"),
        session_start=timestamp("session_start_time_msec as a timestamp, UTC"),
        session_end=timestamp("latest event, UTC", stats=True),
        duration_msec=bigint("from session_start to session_end, ms"),
        event_count=bigint("events"),
        page_view_count=bigint("page and screen views"),
        engagement_time_msec=bigint("engaged time, ms: sum over _user_engagement"),
        entry_page_url=text("URL, or screen name, of the first page or screen view", URL),
        entry_as_of=text("entry_page_url: " + _AS_OF, LONG),
        exit_page_url=text("URL, or screen name, of the last page or screen view", URL),
        exit_as_of=text("exit_page_url: " + _AS_OF, LONG),
        is_bounce=boolean("at most one page or screen view and less than 10 s engaged"),
    )
    + SESSION_TRAFFIC
    + _of("process_info")
    + _with_names(
        traffic_as_of=text("session_* traffic fields and process_info: 0 or 1 (no source, or Direct), then " + _AS_OF, LONG)
    )
    + _of("platform", "geo_country", "device_ua_device_category")
    + _with_names(
        first_event_as_of=text("platform, geo_country, device_ua_device_category: " + _AS_OF, LONG),
        created_time=timestamp("when the row was last written, UTC"),
        start_date=date("day of the first event, UTC"),
    ),
    partition_by=("app_id", "start_date"),
    key=("app_id", "user_pseudo_id", "session_id", "start_date"),
    bucket_by="user_pseudo_id",
)

QUARANTINE = Table(
    "quarantine",
    "One row per element that could not be used, with its reason; nothing is lost.",
    _with_names(
        reason=text(
            "malformed_line, malformed_payload, malformed_event, unknown_app, too_late, in_future, too_large, transformer_error, "
            "derive_error (of a user or an item), unreadable_file (a whole raw file)"
        ),
        stage=text("file, request, transform, rules or derive"),
        error_class=text("class of the error"),
        message=text("what was wrong", LONG),
        raw=Column("string", "the element's raw text"),
        envelope=Column("string", "the raw request without its payload, JSON object; null for a broken line"),
        app_id=text("app, where known"),
        source_file=text("raw file", LONG, stats=True),
        source_line=bigint("line in the raw file, from 1"),
        ingest_time_msec=bigint("server's receive time, epoch ms"),
        batch_id=bigint("micro-batch that first met it"),
        created_time=timestamp("when that micro-batch began, UTC", stats=True),
        resolved_time=timestamp("when a replay brought it into the tables, UTC; null while it is not in them"),
        resolved_by=text("operation that did"),
        elements=bigint("how many elements of a request the row stands for, with the request's whole payload; null for one"),
    ),
)

RUN_METRICS = Table(
    "run_metrics",
    "One row per micro-batch of ingest: received = written + duplicate + filtered + quarantined.",
    _with_names(
        job_id=text("run that processed the batch"),
        window=text("part of the source, such as 2026-11, that has a checkpoint of its own"),
        batch_id=bigint("micro-batch, counted by the window's checkpoint"),
        created_time=timestamp("when the batch began, UTC", stats=True),
        files=bigint("raw files"),
        bytes=bigint("their stored size, bytes", stats=True),
        decoded_bytes=bigint("their size after gunzip, bytes", stats=True),
        lines=bigint("raw lines"),
        received=bigint("elements: events, and each line, payload or part of a file that could not be told apart"),
        written=bigint("events added to event, and changes added to change"),
        duplicate=bigint("events that are there already, or came twice"),
        filtered=bigint("events left out by configuration"),
        quarantined=bigint("elements added to quarantine"),
        quarantined_by_reason=json_text("elements added to quarantine by reason"),
        items=bigint("rows added to item"),
        changes=bigint("rows added to change"),
        first_ingest_time=timestamp("earliest receive time of a request in the batch, UTC"),
        last_ingest_time=timestamp("latest receive time of a request in the batch, UTC"),
        pass_seconds=double("wall seconds of the pass"),
        pass_cpu_seconds=double("CPU-seconds of the workers in the pass"),
        commit_seconds=double("wall seconds of dedupe and commit"),
        enrichers=json_text(
            "what each enricher did, {name: {cpu_seconds, failed, error, info, counts}}: values it failed on, the first error, "
            "what it worked with (type and build date of databases), and what else it counted (ip: cdn_addresses)"
        ),
        commit_cpu_seconds=double("CPU-seconds of the driver in dedupe and commit"),
        latency_p50_seconds=double("from event to table: half of the written events took no longer, within 5 %"),
        latency_p95_seconds=double("the same for 95 % of them"),
        latency_max_seconds=double("the same for all of them"),
        late=bigint("events that reached the server more than an hour after they happened"),
        files_by_table=json_text("files added, {table: count}"),
    ),
)

OPERATION = Table(
    "operation",
    "One row per start and end of an operator's command: who changed what, and why.",
    _with_names(
        operation_id=text("the command's run"),
        operation=text("backfill, reprocess, rebuild, replay, erase, optimize or vacuum"),
        status=text("started, done or failed; a start without an end was killed, repeat it"),
        created_time=timestamp("when the row was written, UTC", stats=True),
        arguments=json_text("what it was asked for, JSON object; ids of people as keyed digests"),
        result=json_text("what it did, JSON object of counts"),
        message=text("why it failed", LONG),
        stored=bigint("rows of event and change when it ended: what run_metrics counts is counted on from here"),
        actor=text("user and machine"),
        version=text("version of this application"),
    ),
)

TABLES = {
    table.name: table for table in (EVENT, ITEM, USER, SESSION, QUARANTINE, RUN_METRICS, CHANGE, ITEM_ATTRIBUTES, OPERATION)
}
