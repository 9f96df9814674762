"""Updates the ``session`` table with new aggregates."""

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
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake
from streaming_app.lake.upsert import MatchedFile, RowSelector, find_matching_files, matching_rows, upsert, values_by_app
from streaming_app.model.arrow import as_epoch_ms
from streaming_app.model.tables import SESSION
from streaming_app.model.times import DAY_MS

_KEY = "user_pseudo_id"
_SELECT_COLUMNS = (_KEY, "session_id", "is_inferred")
_ROW = (_KEY, "session_id", "event_timestamp")
_MATCH = (_KEY, "match_id", "match_start")


def upsert_sessions(
    lake: Lake, aggregates: pa.Table, sessions: SessionsSection, created_ms: int, transaction: TransactionId
) -> list[SetAside]:
    """Combine new aggregates with the stored sessions that they extend or join, and upsert these; returns the users that were set
    aside, whose sessions are unchanged."""
    if not len(aggregates):
        return []
    max_distance_ms = sessions.max_days * DAY_MS + sessions.timeout_minutes * 60_000
    earliest = pc.min(aggregates["first_msec"]).as_py() - max_distance_ms
    latest = pc.max(aggregates["last_msec"]).as_py() + max_distance_ms

    def may_match(file: DataFile) -> bool:
        """Whether a file may have sessions that can be joined, by the time range in its statistics in the log."""
        ends, begins = file.max_values.get("session_end"), file.min_values.get("event_timestamp")
        return (ends is None or _epoch_ms(ends) >= earliest) and (begins is None or _epoch_ms(begins) <= latest)

    def compute_rows(new: pa.Table, known: pa.Table) -> pa.Table:
        return session_rows.rows_from_aggregates(pa.concat_tables([new, known]), sessions, created_ms)

    matched = find_matching_files(lake, SESSION, _SELECT_COLUMNS, _may_join(aggregates), may_match)
    stored = session_rows.aggregates_of_rows(matching_rows(SESSION, matched))
    computed, failed = [session_rows.MERGE_SCHEMA.empty_table()], []
    for part in split_into_parts(session_rows.mark_as_new(aggregates), stored):
        rows, aside = compute_isolated(compute_rows, *part)
        computed += rows
        failed += aside
    quarantine_keys(lake, failed, created_ms)
    changes = pa.concat_tables(computed)
    to_replace = _replaced_rows(matched, changes)
    new = changes.filter(pc.invert(changes["is_gone"])).select(SESSION.schema.names)
    upsert(lake, SESSION, to_replace, new, transaction)
    return failed


def _epoch_ms(statistic: datetime) -> float:
    """A time from the statistics in a table's log, which is UTC, as epoch ms."""
    return statistic.replace(tzinfo=UTC).timestamp() * 1_000


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
