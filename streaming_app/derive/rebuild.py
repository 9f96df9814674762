"""Rebuilds rows of ``user`` and ``session`` from all of their events and changes: those of some users, or all.

It reads, shuffles and writes as an update does (:mod:`.merge`), but the rows that it computes replace the stored ones. Events of
other users are not read beyond their user, row group by row group.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from streaming_app.backlog.stale_users import Users, stale_users
from streaming_app.config.model import Config
from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.aggregates import PART_ROWS, Aggregates, partition_by_user
from streaming_app.derive.isolate import SetAside, compute_isolated, drop_failed, ids_by_app
from streaming_app.derive.merge import Merged, describe, merge_here, merge_in_tasks
from streaming_app.derive.read_events import NewRows, SomeUsers, TableReader
from streaming_app.derive.set_aside import quarantine_keys
from streaming_app.derive.shares import Share, count_for
from streaming_app.lake.buckets import BucketWriter, files_with_ids
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.upsert import find_matching_files, rows_with_key_in, write_upsert
from streaming_app.model.tables import CHANGE, EVENT, SESSION, USER, Table
from streaming_app.spark.session import get_session
from streaming_app.spark.table_stream import TableFile, table_files
from streaming_app.spark.tasks import group_by_size, parallelism

_KEY = "user_pseudo_id"
BOTH = (USER, SESSION)

HERE_BYTES = 256 << 20
"""Stored bytes of events and changes up to which they are read in this process: about 4 million events."""
SHARE_BYTES = 128 << 20
"""Stored bytes of events whose users one task should compute: about two million events, 150 MB of aggregates."""
MANY_USERS = 500_000
"""Number of users, which each task is sent, from which on all users are rebuilt."""


@dataclass(frozen=True)
class RowComputer:
    """Computes rows of ``user`` and ``session`` from all events and changes of their users."""

    config: Config
    job_id: str
    created_ms: int

    def compute(self, found: Aggregates) -> tuple[dict[str, pa.Table], list[SetAside]]:
        """The rows by table, and the users whose rows cannot be computed."""
        rows = {table.name: [table.schema.empty_table()] for table in BOTH}
        failed = list(found.failed)
        for part in _split(found):
            users, aside = compute_isolated(self._users, part.users, part.changes)
            sessions, further = compute_isolated(self._sessions, part.sessions)
            rows[USER.name] += users
            rows[SESSION.name] += sessions
            failed += aside + further
        return {name: drop_failed(pa.concat_tables(parts), failed) for name, parts in rows.items()}, failed

    def _users(self, aggregates: pa.Table, changes: pa.Table) -> pa.Table:
        combined = user_rows.combine_aggregates(pa.concat_tables([aggregates, user_rows.aggregate_changes(changes)]))
        return user_rows.rows_from_aggregates(combined, self.job_id, self.created_ms)

    def _sessions(self, aggregates: pa.Table) -> pa.Table:
        new = session_rows.mark_as_new(aggregates)
        return session_rows.rows_from_aggregates(new, self.config.sessions, self.created_ms).select(SESSION.schema.names)


def _split(found: Aggregates) -> Iterator[Aggregates]:
    """Split aggregates into parts that take little memory to combine; everything of a user is in one part."""
    parts = 1 + max(map(len, found.tables)) // PART_ROWS
    tables = [dict(partition_by_user(each, parts)) for each in found.tables]
    for number in sorted(set().union(*tables)):
        yield Aggregates.of((each.get(number, empty) for each, empty in zip(tables, Aggregates().tables, strict=True)), [])


@dataclass(frozen=True)
class ShareRebuilder:
    """Replaces the rows of some users of a share, or writes those of all; a user without events has no rows afterwards."""

    lake: Lake
    computer: RowComputer
    users: SomeUsers | None
    tables: Sequence[Table] = BOTH
    merges_nothing: bool = True

    def merge(self, share: Share, new: Aggregates) -> Merged:
        """Write the computed rows; nothing is committed."""
        rows, failed = self.computer.compute(new)
        changes = {table.name: TableChange([], [], [], data_change=True) for table in BOTH}
        for table in self.tables:
            stored = share.users if table is USER else share.sessions
            changes[table.name] = describe(self._write(table, share, stored, rows[table.name], failed))
        return Merged(changes[USER.name], changes[SESSION.name], failed)

    def _write(self, table: Table, share: Share, stored: list[DataFile], rows: pa.Table, failed: list[SetAside]) -> TableChange:
        if self.users is None:
            writer = BucketWriter(self.lake, table)
            writer.add(rows, share.bucket)
            return TableChange(writer.close(), [], [], data_change=True)
        ids = self.users.get(share.app_id, pa.array([], pa.string()))
        due = drop_failed(pa.table({"app_id": pa.repeat(share.app_id, len(ids)), _KEY: ids}), failed)
        replaced = rows_with_key_in({share.app_id: due[_KEY].combine_chunks()})
        matched = find_matching_files(self.lake, table, stored, (_KEY,), replaced)
        return write_upsert(self.lake, table, stored, matched, rows, share.bucket)


@dataclass(frozen=True)
class Rebuild:
    """A rebuild of the rows of some ``users``, or with None of all, which replaces whole ``tables``.

    Run it only when derive has read all of ``event``: events that it has not read yet would be counted twice.
    """

    config: Config
    lake: Lake
    job_id: str
    users: SomeUsers | None = None
    tables: Sequence[Table] = BOTH
    created_ms: int = field(default_factory=lambda: int(time.time() * 1_000))

    def run(self) -> Merged:
        """Compute the rows and commit them, a commit a table. Users whose rows cannot be computed are set aside: they keep
        their rows, or in a rebuild of all have none until a replay has computed them."""
        stored = {table: live_files(self.lake.open(table), self.users) for table in self.tables}
        near = {table: [] if self.users is None else files_with_ids(files, self.users) for table, files in stored.items()}
        merged = self._merge(near.get(USER, []), near.get(SESSION, []))
        quarantine_keys(self.lake, merged.failed, self.created_ms)
        for table in self.tables:
            change = merged.user if table is USER else merged.session
            if self.users is None:
                change = TableChange(change.added, stored[table], [], data_change=True)
            if change:
                # Each rebuild has a new transaction id, so that it can be repeated any number of times.
                commit(self.lake, table, change, TransactionId.unique("rebuild"))
        return merged

    def _merge(self, users: list[DataFile], sessions: list[DataFile]) -> Merged:
        files = files_of_users(self.lake, self.users)
        reader = TableReader(self.lake.storage, self.config, self.users)
        if sum(file.size for file in files) <= HERE_BYTES:
            new = Aggregates.concat(reader.read(files))
            return merge_here(self._rebuilder(self.lake), new, self._apps(files), users, sessions)
        spark = get_session(self.config, self.lake.storage)
        groups = [NewRows(files=group) for group in group_by_size(files, parallelism(spark))]
        counts = dict.fromkeys(self._apps(files), 1.0)
        for file in files:
            counts[file.app_id] += file.size / SHARE_BYTES
        shares = {app_id: count_for(size) for app_id, size in counts.items()}
        return merge_in_tasks(spark, reader, self._rebuilder(self.lake.for_workers), groups, shares, users, sessions)

    def _rebuilder(self, lake: Lake) -> ShareRebuilder:
        return ShareRebuilder(lake, RowComputer(self.config, self.job_id, self.created_ms), self.users, self.tables)

    def _apps(self, files: Sequence[TableFile]) -> set[str]:
        return {file.app_id for file in files} | set(self.users or ())


def files_of_users(lake: Lake, users: SomeUsers | None) -> list[TableFile]:
    """The files that may have events or changes of some users."""
    return [file for table in (EVENT, CHANGE) for file in table_files(lake, table, users)]


def rebuild_stale_users(config: Config, lake: Lake, job_id: str) -> Users:
    """Rebuild the users noted as stale, then delete the notes, so that a crash repeats it. Returns the users set aside."""
    users, notes = stale_users(config, lake.storage)
    failed = rebuild_users(config, lake, job_id, users) if users else set()
    for note in notes:
        lake.storage.delete(note)
    return failed


def rebuild_users(config: Config, lake: Lake, job_id: str, users: Users) -> Users:
    """Compute the rows of some users from all of their events; users and sessions without events disappear.

    Returns the users that were set aside, whose rows are unchanged.
    """
    chosen = ids_by_app(sorted(users)) if len(users) <= MANY_USERS else None
    return {(each.app_id, each.id) for each in Rebuild(config, lake, job_id, chosen).run().failed}


def compute_rows_of(config: Config, lake: Lake, job_id: str, users: Users) -> tuple[dict[str, pa.Table], list[SetAside]]:
    """Compute the rows of ``user`` and ``session`` of some users, by table, and the users whose rows cannot be computed."""
    chosen = ids_by_app(sorted(users))
    found = TableReader(lake.storage, config, chosen).read(files_of_users(lake, chosen))
    return RowComputer(config, job_id, int(time.time() * 1_000)).compute(Aggregates.concat(found))
