"""The ``session`` table: states of sessions in, rows out."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.config.model import SessionsSection
from streaming_app.derive import session_rows
from streaming_app.derive.aggregates import split_into_parts
from streaming_app.derive.isolate import SetAside, compute_isolated
from streaming_app.derive.set_aside import quarantine_keys
from streaming_app.lake.commit import TransactionId
from streaming_app.lake.files import LiveFile
from streaming_app.lake.lake import Lake
from streaming_app.lake.upsert import Choice, Held, hold, replace, values_by_app, wanted_rows
from streaming_app.model.arrow import as_epoch_ms
from streaming_app.model.tables import SESSION
from streaming_app.model.times import DAY_MS

_KEY = "user_pseudo_id"
_SEEN = (_KEY, "session_id", "is_inferred")
_ROW = (_KEY, "session_id", "event_timestamp")
_MATCH = (_KEY, "match_id", "match_start")


def upsert_sessions(
    lake: Lake, states: pa.Table, sessions: SessionsSection, created_ms: int, transaction: TransactionId
) -> list[SetAside]:
    """Combine new states with the sessions they extend or join, and write those that have news; returns the users that were
    set aside, whose sessions stay as they are."""
    if not len(states):
        return []
    reach_ms = sessions.max_days * DAY_MS + sessions.timeout_minutes * 60_000
    earliest = pc.min(states["first_msec"]).as_py() - reach_ms
    latest = pc.max(states["last_msec"]).as_py() + reach_ms

    def near(file: LiveFile) -> bool:
        """A session that ends before, or begins after, cannot be joined; the log's statistics tell so file by file."""
        ends, begins = file.most.get("session_end"), file.least.get("event_timestamp")
        return (ends is None or _epoch_ms(ends) >= earliest) and (begins is None or _epoch_ms(begins) <= latest)

    def make(new: pa.Table, known: pa.Table) -> pa.Table:
        return session_rows.rows_from_aggregates(pa.concat_tables([new, known]), sessions, created_ms)

    held = hold(lake, SESSION, _SEEN, _may_join(states), near)
    stored = session_rows.aggregates_of_rows(wanted_rows(SESSION, held))
    made, failed = [session_rows.MERGE_SCHEMA.empty_table()], []
    for part in split_into_parts(session_rows.mark_as_new(states), stored):
        rows, aside = compute_isolated(make, *part)
        made += rows
        failed += aside
    quarantine_keys(lake, failed, created_ms)
    changes = pa.concat_tables(made)
    going = _matched(held, changes)
    new = changes.filter(pc.invert(changes["is_gone"])).select(SESSION.schema.names)
    replace(lake, SESSION, going, new, transaction)
    return failed


def _epoch_ms(statistic: datetime) -> float:
    """A time as a table's log tells it, in UTC."""
    return statistic.replace(tzinfo=UTC).timestamp() * 1_000


def _may_join(states: pa.Table) -> Choice:
    """Rows that a state can extend or join: of its session id, or inferred of its user."""
    users, ids = values_by_app(states, _KEY), values_by_app(states, "session_id")

    def choose(app_id: str, seen: pa.Table) -> pa.ChunkedArray | None:
        if app_id not in users:
            return None
        named = pc.or_(seen["is_inferred"], pc.is_in(seen["session_id"], ids[app_id]))
        return pc.and_(pc.is_in(seen[_KEY], users[app_id]), named)

    return choose


def _matched(held: list[Held], changes: pa.Table) -> list[Held]:
    """The files again, with only those rows wanted that a change replaces."""
    replaced = changes.filter(pc.is_valid(changes["match_id"]))
    found = []
    for each in held:
        here = replaced.filter(pc.equal(replaced["app_id"], each.file.partition["app_id"]))
        mask = pc.is_in(_row_key(each.rows, _ROW), _row_key(here, _MATCH))
        if pc.any(mask).as_py():
            found.append(Held(each.file, each.rows.filter(mask), pc.replace_with_mask(each.wanted, each.wanted, mask)))
    return found


def _row_key(rows: pa.Table, names: tuple[str, str, str]) -> pa.Array:
    """One text per row; with the session id's length in it, no two rows' parts run into the same text."""
    user, session, time = (rows[name] for name in names)
    length = pc.binary_length(session).cast(pa.string())
    return pc.binary_join_element_wise(as_epoch_ms(time).cast(pa.string()), length, session, user, " ").combine_chunks()
