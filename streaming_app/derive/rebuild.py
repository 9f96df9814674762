"""Rebuilds the rows of some users in ``user`` and ``session`` from ``event`` and ``change``."""

from __future__ import annotations

import time

import pyarrow as pa
import pyarrow.dataset as ds

from streaming_app.backlog.stale_users import Users, stale_users
from streaming_app.config.model import Config
from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.aggregates import EVENT_COLUMNS
from streaming_app.derive.changes import read_changes
from streaming_app.derive.full_rebuild import rebuild_table
from streaming_app.derive.isolate import SetAside, compute_isolated, drop_failed, ids_by_app
from streaming_app.derive.set_aside import quarantine_keys
from streaming_app.lake.buckets import files_with_ids
from streaming_app.lake.commit import TransactionId, commit
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.query import dataset
from streaming_app.lake.upsert import find_matching_files, rows_with_key_in, write_upsert
from streaming_app.model.tables import EVENT, SESSION, TABLES, USER
from streaming_app.plugins.registry import apps_with_profiles
from streaming_app.spark.session import get_session

_KEY = "user_pseudo_id"


MANY_USERS = 50_000
"""Maximum number of users whose events fit the driver's memory; for more, all users are rebuilt in tasks."""


def rebuild_stale_users(config: Config, lake: Lake, job_id: str) -> Users:
    """Rebuild the users noted as stale, then delete the notes, so that a crash repeats it. Returns the users set aside."""
    users, notes = stale_users(config, lake.storage)
    failed: Users = set()
    if len(users) > MANY_USERS:
        spark = get_session(config, lake.storage)
        for table in (USER, SESSION):
            failed |= rebuild_table(spark, table, config, lake, job_id).set_aside
    elif users:
        failed = rebuild_users(config, lake, job_id, users)
    for note in notes:
        lake.storage.delete(note)
    return failed


def rebuild_users(config: Config, lake: Lake, job_id: str, users: Users) -> Users:
    """Compute the rows of some users from all of their events; users and sessions without events disappear.

    Call it only when derive has read all of ``event``: events that it has not read yet would be counted twice. Returns the users
    that were set aside, whose rows are unchanged.
    """
    rows, failed = compute_rows_of(config, lake, job_id, users)
    quarantine_keys(lake, failed, int(time.time() * 1_000))
    aside = {(each.app_id, each.id) for each in failed}
    values = ids_by_app(sorted(users - aside))
    # Each rebuild has a new transaction id, so that it can be repeated any number of times.
    for table, computed in ((TABLES[name], computed) for name, computed in rows.items()):
        target = lake.open(table)
        stored = files_with_ids(live_files(target, values), values)
        matched = find_matching_files(lake, table, stored, (_KEY,), rows_with_key_in(values))
        if change := write_upsert(lake, table, stored, matched, drop_failed(computed, failed)):
            commit(lake, table, change, TransactionId.unique("rebuild"), target)
    return aside


def compute_rows_of(config: Config, lake: Lake, job_id: str, users: Users) -> tuple[dict[str, pa.Table], list[SetAside]]:
    """Compute the rows of ``user`` and ``session`` of some users from all of their events and changes.

    Returns the rows by table, and the users whose rows cannot be computed.
    """
    created_ms = int(time.time() * 1000)
    values = ids_by_app(sorted(users))
    columns = ["app_id", *EVENT_COLUMNS]
    found = dataset(lake, EVENT)
    wanted = [(ds.field("app_id") == app_id) & ds.field(_KEY).isin(ids) for app_id, ids in values.items()]
    events = pa.concat_tables([found.to_table(columns=columns, filter=each) for each in wanted])
    changes = read_changes(lake, values, _KEY)
    with_profiles = apps_with_profiles(config)

    def users_of(events: pa.Table, changes: pa.Table) -> pa.Table:
        aggregates = [user_rows.aggregate_events(events, with_profiles), user_rows.aggregate_changes(changes)]
        return user_rows.rows_from_aggregates(user_rows.combine_aggregates(pa.concat_tables(aggregates)), job_id, created_ms)

    def sessions_of(events: pa.Table) -> pa.Table:
        aggregates = session_rows.mark_as_new(session_rows.aggregate_events(events, config.sessions))
        return session_rows.rows_from_aggregates(aggregates, config.sessions, created_ms).select(SESSION.schema.names)

    made, failed = compute_isolated(users_of, events, changes)
    sessions, further = compute_isolated(sessions_of, events)
    rows = {USER.name: [USER.schema.empty_table(), *made], SESSION.name: [SESSION.schema.empty_table(), *sessions]}
    return {name: pa.concat_tables(parts) for name, parts in rows.items()}, failed + further
