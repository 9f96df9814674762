"""Computes the rows of ``session`` that new aggregates change."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.config.model import SessionsSection
from streaming_app.derive import session_rows
from streaming_app.derive.aggregates import split_into_parts
from streaming_app.derive.isolate import SetAside, compute_isolated
from streaming_app.derive.shares import Share, is_within
from streaming_app.lake.commit import TableChange
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake
from streaming_app.lake.upsert import (
    MatchedFile,
    RowSelector,
    find_matching_files,
    matching_rows,
    values_by_app,
    write_upsert,
)
from streaming_app.model.arrow import as_epoch_ms
from streaming_app.model.tables import SESSION
from streaming_app.model.times import DAY_MS

_KEY = "user_pseudo_id"
_SELECT_COLUMNS = (_KEY, "session_id", "is_inferred")
_ROW = (_KEY, "session_id", "event_timestamp")
_MATCH = (_KEY, "match_id", "match_start")


def max_distance_ms(sessions: SessionsSection) -> int:
    """The time between a stored session and a new event of the same session at most, in ms."""
    return int(sessions.max_days * DAY_MS + sessions.timeout_minutes * 60_000)


def write_sessions(
    lake: Lake, share: Share, aggregates: pa.Table, sessions: SessionsSection, created_ms: int
) -> tuple[TableChange, list[SetAside]]:
    """Combine new aggregates of a share's users with the stored sessions that they extend or join, and write these; nothing is
    committed.

    Returns the change of the table, and the users that were set aside, whose sessions are unchanged.
    """

    def compute_rows(new: pa.Table, known: pa.Table) -> pa.Table:
        return session_rows.rows_from_aggregates(pa.concat_tables([new, known]), sessions, created_ms)

    matched = find_matching_files(lake, SESSION, _near(share, aggregates, sessions), _SELECT_COLUMNS, _may_join(aggregates))
    stored = session_rows.aggregates_of_rows(matching_rows(SESSION, matched))
    computed, failed = [session_rows.MERGE_SCHEMA.empty_table()], []
    for part in split_into_parts(session_rows.mark_as_new(aggregates), stored):
        rows, aside = compute_isolated(compute_rows, *part)
        computed += rows
        failed += aside
    changes = pa.concat_tables(computed)
    to_replace = _replaced_rows(matched, changes)
    new = changes.filter(pc.invert(changes["is_gone"])).select(SESSION.schema.names)
    return write_upsert(lake, SESSION, share.sessions, to_replace, new, share.bucket), failed


def _near(share: Share, aggregates: pa.Table, sessions: SessionsSection) -> list[DataFile]:
    """The share's files with sessions that an aggregate can extend or join, by their times."""
    if not len(aggregates):
        return []
    earliest = pc.min(aggregates["first_msec"]).as_py() - max_distance_ms(sessions)
    latest = pc.max(aggregates["last_msec"]).as_py() + max_distance_ms(sessions)
    return [file for file in share.sessions if is_within(file, earliest, latest)]


def _may_join(aggregates: pa.Table) -> RowSelector:
    """Selects rows that an aggregate can extend or join: those with its session id, or inferred ones of its user."""
    users, ids = values_by_app(aggregates, _KEY), values_by_app(aggregates, "session_id")

    def select(app_id: str, rows: pa.Table) -> pa.ChunkedArray | None:
        if app_id not in users:
            return None
        named = pc.or_(rows["is_inferred"], pc.is_in(rows["session_id"], ids[app_id]))
        return pc.and_(pc.is_in(rows[_KEY], users[app_id]), named)

    return select


def _replaced_rows(matched: list[MatchedFile], changes: pa.Table) -> list[MatchedFile]:
    """Narrow the matching rows of files to those that a change replaces."""
    replaced = changes.filter(pc.is_valid(changes["match_id"]))
    found = []
    for each in matched:
        here = replaced.filter(pc.equal(replaced["app_id"], each.file.partition["app_id"]))
        mask = pc.is_in(_row_key(each.rows, _ROW), _row_key(here, _MATCH))
        if pc.any(mask).as_py():
            found.append(each.narrow(mask))
    return found


def _row_key(rows: pa.Table, names: tuple[str, str, str]) -> pa.Array:
    """The key of each row as one text; it includes the session id's length, so that keys never collide."""
    user, session, time = (rows[name] for name in names)
    length = pc.binary_length(session).cast(pa.string())
    return pc.binary_join_element_wise(as_epoch_ms(time).cast(pa.string()), length, session, user, " ").combine_chunks()
