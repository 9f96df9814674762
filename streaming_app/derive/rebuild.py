"""User and session made anew from ``event`` and ``change`` for some users, in place of whatever is there."""

from __future__ import annotations

import time
import uuid
from collections import defaultdict

import pyarrow as pa
import pyarrow.dataset as ds

from streaming_app.config.model import Config
from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.all_users import rebuild_table
from streaming_app.derive.changes import log_of
from streaming_app.derive.stale import Users, stale_users
from streaming_app.derive.states import EVENT_COLUMNS
from streaming_app.model.tables import EVENT, SESSION, TABLES, USER
from streaming_app.registry import apps_with_profiles
from streaming_app.session import get_session
from streaming_app.tables.delta import Sink
from streaming_app.tables.read import dataset
from streaming_app.tables.upsert import hold, one_of, replace

_KEY = "user_pseudo_id"


MANY_USERS = 50_000
"""Of more users than these the events may not fit the driver's memory: then all users are rebuilt, in tasks."""


def rebuild_stale_users(config: Config, sink: Sink, job_id: str) -> None:
    """Rebuild the users noted as stale; the notes go only after that, so a crash repeats it."""
    users, notes = stale_users(config, sink.storage)
    if len(users) > MANY_USERS:
        spark = get_session(config, sink.storage)
        for table in (USER, SESSION):
            rebuild_table(spark, table, config, sink, job_id)
    elif users:
        rebuild_users(config, sink, job_id, users)
    for note in notes:
        sink.storage.delete(note)


def rebuild_users(config: Config, sink: Sink, job_id: str, users: Users) -> None:
    """Make the rows of some users anew; users and sessions without events disappear.

    Call it only when derive has read all of ``event``: what it has not read yet would be counted twice.
    """
    values = _values(users)
    # Each rebuild is a transaction of its own: it may be repeated as often as needed.
    for table, rows in rebuilt_rows(config, sink, job_id, users).items():
        replace(sink, TABLES[table], hold(sink, TABLES[table], (_KEY,), one_of(values)), rows, (f"rebuild-{uuid.uuid4()}", 0))


def rebuilt_rows(config: Config, sink: Sink, job_id: str, users: Users) -> dict[str, pa.Table]:
    """The rows of ``user`` and ``session`` that some users ought to have, made from all that there is of them."""
    created_ms = int(time.time() * 1000)
    values = _values(users)
    columns = ["app_id", *EVENT_COLUMNS]
    found = dataset(sink, EVENT)
    wanted = [(ds.field("app_id") == app_id) & ds.field(_KEY).isin(ids) for app_id, ids in values.items()]
    events = pa.concat_tables([found.to_table(columns=columns, filter=each) for each in wanted])
    states = session_rows.with_stored(session_rows.states_of(events, config.sessions))
    sessions = session_rows.rows_of(states, config.sessions, created_ms)
    changed = user_rows.states_of_changes(log_of(sink, values, _KEY))
    combined = user_rows.combine_states(pa.concat_tables([user_rows.states_of(events, apps_with_profiles(config)), changed]))
    return {
        USER.name: user_rows.rows_of(combined, job_id, created_ms),
        SESSION.name: sessions.select(SESSION.schema.names),
    }


def _values(users: Users) -> dict[str, pa.Array]:
    """The ids of some users, by app."""
    by_app: dict[str, list[str]] = defaultdict(list)
    for app_id, user in sorted(users):
        by_app[app_id].append(user)
    return {app_id: pa.array(ids, pa.string()) for app_id, ids in by_app.items()}
