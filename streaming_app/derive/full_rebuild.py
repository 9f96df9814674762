"""Rebuilds all rows of ``user`` or ``session`` from ``event`` and ``change``, in Spark's tasks.

Events are aggregated in the task that reads them; the aggregates are shuffled by a hash of the user, so that one task gets all of
a user's. Only aggregates are shuffled, and no task holds more than its share of the users.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import msgspec
import pyarrow as pa

from streaming_app.config.model import Config
from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.aggregates import EVENT_COLUMNS, UserPart
from streaming_app.derive.attributes import LOG_COLUMNS
from streaming_app.derive.isolate import SetAside, compute_isolated, drop_failed
from streaming_app.derive.set_aside import quarantine_keys
from streaming_app.derive.shares import Router, Share, count_for, group_shares, plan_shares
from streaming_app.lake.buckets import BucketWriter
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import DataFile
from streaming_app.lake.ipc import from_ipc, to_ipc
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rows import read_batches
from streaming_app.model.tables import CHANGE, EVENT, SESSION, USER, Table
from streaming_app.plugins.registry import apps_with_profiles
from streaming_app.spark.exchange import exchange
from streaming_app.spark.session import Session
from streaming_app.spark.table_stream import TableFile
from streaming_app.spark.tasks import group_by_size, parallelism

EVENTS_PER_SHARE = 2_000_000
"""Events whose aggregates are one share, about 150 MB."""


class Rebuilt(msgspec.Struct):
    """The files that a rebuild, or one of its tasks, wrote, and the users whose rows cannot be computed."""

    files: list[DataFile]
    failed: list[SetAside]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def set_aside(self) -> set[tuple[str, str]]:
        """Pairs of app_id and user_pseudo_id."""
        return {(each.app_id, each.id) for each in self.failed}


def rebuild_table(spark: Session, table: Table, config: Config, lake: Lake, job_id: str) -> Rebuilt:
    """Recompute all rows of ``user`` or ``session`` and replace the table in one commit.

    Users that are set aside have no rows until a replay has computed them.

    Call it only when derive has read all of ``event``: events that it has not read yet would be counted twice.
    """
    rules = _UserRules(config, job_id) if table is USER else _SessionRules(config)
    sources = [EVENT, CHANGE] if table is USER else [EVENT]
    before = live_files(lake.open(table))
    files = [
        TableFile(file.path, file.size, source.name, file.app_id, file.day)
        for source in sources
        for file in live_files(lake.open(source))
    ]
    shares, router = plan_shares(_count_shares(lake, files), [], [])
    parts = group_shares(shares, parallelism(spark))
    part_of = {share: number for number, part in enumerate(parts) for share in part}
    read = partial(_read_aggregates, lake.for_workers, rules, router, part_of)
    write = partial(_write_rows, lake.for_workers, table, rules)
    groups = group_by_size(files, max(parallelism(spark), len(shares)))
    messages = exchange(spark, groups, read, [[(number, shares[number]) for number in part] for part in parts], write)
    written = [msgspec.json.decode(each, type=Rebuilt) for each in messages]
    done = Rebuilt([file for each in written for file in each.files], [key for each in written for key in each.failed])
    quarantine_keys(lake, done.failed, int(time.time() * 1_000))
    commit(lake, table, TableChange(done.files, before, [], data_change=True), TransactionId.unique("rebuild"))
    return done


def _count_shares(lake: Lake, files: Iterable[TableFile]) -> dict[str, int]:
    """The number of shares of each app, by its events."""
    rows: Counter[str] = Counter({file.app_id: 0 for file in files})
    for file in live_files(lake.open(EVENT)):
        rows[file.app_id] += file.rows
    return {app_id: count_for(count / EVENTS_PER_SHARE) for app_id, count in rows.items()}


class _UserRules:
    """How events become aggregates, and aggregates rows of ``user``."""

    schema = user_rows.AGGREGATE_SCHEMA

    def __init__(self, config: Config, job_id: str) -> None:
        self._with_profiles, self._job_id = apps_with_profiles(config), job_id

    def aggregate(self, events: pa.Table) -> pa.Table:
        return user_rows.aggregate_events(events, self._with_profiles)

    def rows(self, aggregates: pa.Table, changes: pa.Table, created_ms: int) -> pa.Table:
        combined = user_rows.combine_aggregates(pa.concat_tables([aggregates, user_rows.aggregate_changes(changes)]))
        return user_rows.rows_from_aggregates(combined, self._job_id, created_ms)


class _SessionRules:
    """How events become aggregates, and aggregates rows of ``session``."""

    schema = session_rows.AGGREGATE_SCHEMA

    def __init__(self, config: Config) -> None:
        self._sessions = config.sessions

    def aggregate(self, events: pa.Table) -> pa.Table:
        return session_rows.aggregate_events(events, self._sessions)

    def rows(self, aggregates: pa.Table, _changes: pa.Table, created_ms: int) -> pa.Table:
        new = session_rows.mark_as_new(aggregates)
        return session_rows.rows_from_aggregates(new, self._sessions, created_ms).select(SESSION.schema.names)


def _read_aggregates(
    lake: Lake, rules: _UserRules | _SessionRules, router: Router, part_of: Mapping[int, int], group: list[TableFile]
) -> Iterator[tuple[int, bytes]]:
    """Run in each reading task: yield the aggregates (and changes) of its files by the part of their users."""
    for message in _messages(lake, rules, router, group):
        yield part_of[message.share], msgspec.msgpack.encode(message)


def _messages(lake: Lake, rules: _UserRules | _SessionRules, router: Router, group: list[TableFile]) -> Iterator[UserPart]:
    for file in group:
        if file.table == EVENT.name:
            for events in _read_with_app(lake, EVENT, file, EVENT_COLUMNS):
                computed, failed = compute_isolated(rules.aggregate, events)
                for aggregates in computed:
                    for share, chosen in router.divide(aggregates):
                        yield UserPart(share, aggregates=[to_ipc(chosen)])
                for each in failed:
                    yield UserPart(router.share_of(each.app_id, each.id), failed=[each])
        else:
            for changes in _read_with_app(lake, CHANGE, file, LOG_COLUMNS):
                for share, chosen in router.divide(changes):
                    yield UserPart(share, changes=[to_ipc(chosen)])


def _read_with_app(lake: Lake, table: Table, file: TableFile, columns: tuple[str, ...]) -> Iterator[pa.Table]:
    stored = [name for name in columns if name != "app_id"]
    for rows in read_batches(lake, table, DataFile(file.uri, {}, file.size), stored):
        yield rows.append_column("app_id", pa.repeat(file.app_id, len(rows)))


_CHANGE_SCHEMA = pa.schema([CHANGE.schema.field(name) for name in (*LOG_COLUMNS, "app_id")])


def _write_rows(
    lake: Lake, table: Table, rules: _UserRules | _SessionRules, part: list[tuple[int, Share]], messages: Iterable[bytes]
) -> bytes:
    """Run in each combining task: write the rows of its shares to new files."""
    by_share: dict[int, list[UserPart]] = {number: [] for number, _ in part}
    for message in messages:
        found = msgspec.msgpack.decode(message, type=UserPart)
        by_share[found.share].append(found)
    writer = BucketWriter(lake, table)
    failed = [key for number, share in part for key in _write_share(writer, rules, share, by_share.pop(number))]
    return msgspec.json.encode(Rebuilt(writer.close(), failed))


def _write_share(writer: BucketWriter, rules: _UserRules | _SessionRules, share: Share, parts: list[UserPart]) -> list[SetAside]:
    """Write the rows of a share; returns the users whose rows cannot be computed."""
    failed = [key for part in parts for key in part.failed]
    aggregates = [rules.schema.empty_table(), *(from_ipc(each) for part in parts for each in part.aggregates)]
    changes = [_CHANGE_SCHEMA.empty_table(), *(from_ipc(each) for part in parts for each in part.changes)]
    compute = partial(rules.rows, created_ms=int(time.time() * 1_000))
    computed, further = compute_isolated(
        compute, *(drop_failed(pa.concat_tables(each), failed) for each in (aggregates, changes))
    )
    for rows in computed:
        writer.add(rows, share.bucket)
    return failed + further
