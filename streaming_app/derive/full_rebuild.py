"""Rebuilds all rows of ``user`` or ``session`` from ``event`` and ``change``, in Spark's tasks.

Events are aggregated in the task that reads them; the aggregates are shuffled by a hash of the user, so that one task gets all of
a user's. Only aggregates are shuffled, and no task holds more than its share of the users.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from functools import partial

import msgspec
import pyarrow as pa

from streaming_app.config.model import Config
from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.aggregates import EVENT_COLUMNS, UserPart, from_ipc, partition_by_user, to_ipc
from streaming_app.derive.attributes import LOG_COLUMNS
from streaming_app.derive.isolate import USER as USER_KEY
from streaming_app.derive.isolate import SetAside, compute_isolated, drop_failed
from streaming_app.derive.set_aside import quarantine_keys
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.rows import read_batches
from streaming_app.model.tables import CHANGE, EVENT, SESSION, USER, Table
from streaming_app.plugins.registry import apps_with_profiles
from streaming_app.spark.exchange import exchange
from streaming_app.spark.session import Session
from streaming_app.spark.table_stream import TableFile
from streaming_app.spark.tasks import group_by_size, parallelism

EVENTS_PER_PART = 2_000_000
"""Aggregates that one task combines, about 150 MB."""


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
        TableFile(file.path, file.size, source.name, file.partition["app_id"])
        for source in sources
        for file in live_files(lake.open(source))
    ]
    rows = sum(file.rows for file in live_files(lake.open(EVENT)))
    parts = max(parallelism(spark), math.ceil(rows / EVENTS_PER_PART))
    read = partial(_read_aggregates, lake.for_workers, rules, parts)
    write = partial(_write_rows, lake.for_workers, table, rules)
    messages = exchange(spark, group_by_size(files, parts), read, write)
    written = [msgspec.json.decode(each, type=Rebuilt) for each in messages]
    done = Rebuilt([file for each in written for file in each.files], [key for each in written for key in each.failed])
    quarantine_keys(lake, done.failed, int(time.time() * 1_000))
    commit(lake, table, TableChange(done.files, before, [], data_change=True), TransactionId.unique("rebuild"))
    return done


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
    lake: Lake, rules: _UserRules | _SessionRules, parts: int, group: list[TableFile]
) -> Iterator[tuple[int, bytes]]:
    """Run in each reading task: yield the aggregates (and changes) of its files by the part of their users."""
    for file in group:
        if file.table == EVENT.name:
            for events in _read_with_app(lake, EVENT, file, EVENT_COLUMNS):
                computed, failed = compute_isolated(rules.aggregate, events)
                for aggregates in computed:
                    for number, chosen in partition_by_user(aggregates, parts):
                        yield number, _ENCODE(UserPart(aggregates=[to_ipc(chosen)]))
                for number, chosen in partition_by_user(_failed_table(failed), parts):
                    yield number, _ENCODE(UserPart(failed=_failed_keys(chosen)))
        else:
            for changes in _read_with_app(lake, CHANGE, file, LOG_COLUMNS):
                for number, chosen in partition_by_user(changes, parts):
                    yield number, _ENCODE(UserPart(changes=[to_ipc(chosen)]))


_ENCODE = msgspec.msgpack.Encoder().encode


def _read_with_app(lake: Lake, table: Table, file: TableFile, columns: tuple[str, ...]) -> Iterator[pa.Table]:
    stored = [name for name in columns if name != "app_id"]
    for rows in read_batches(lake, table, DataFile(file.uri, {}, file.size), stored):
        yield rows.append_column("app_id", pa.repeat(file.app_id, len(rows)))


_FAILED_SCHEMA = pa.schema([(name, pa.string()) for name in ("app_id", "user_pseudo_id", "error", "message")])


def _failed_table(failed: list[SetAside]) -> pa.Table:
    rows = [{"app_id": each.app_id, USER_KEY: each.id, "error": each.error, "message": each.message} for each in failed]
    return pa.Table.from_pylist(rows, schema=_FAILED_SCHEMA)


def _failed_keys(rows: pa.Table) -> list[SetAside]:
    return [SetAside(column=USER_KEY, **row) for row in rows.rename_columns(["app_id", "id", "error", "message"]).to_pylist()]


_CHANGE_SCHEMA = pa.schema([CHANGE.schema.field(name) for name in (*LOG_COLUMNS, "app_id")])


def _write_rows(lake: Lake, table: Table, rules: _UserRules | _SessionRules, messages: Iterable[bytes]) -> bytes:
    """Run in each combining task: write the rows of its users to new files."""
    aggregates, changes, failed = [rules.schema.empty_table()], [_CHANGE_SCHEMA.empty_table()], []
    for message in messages:
        part = msgspec.msgpack.decode(message, type=UserPart)
        aggregates += map(from_ipc, part.aggregates)
        changes += map(from_ipc, part.changes)
        failed += part.failed
    compute = partial(rules.rows, created_ms=int(time.time() * 1_000))
    inputs = (drop_failed(pa.concat_tables(each), failed) for each in (aggregates, changes))
    computed, further = compute_isolated(compute, *inputs)
    writer = PartitionWriter(table, lake.uri(table), lake.storage, "rebuilt")
    for rows in computed:
        writer.add(rows)
    return msgspec.json.encode(Rebuilt(writer.close(), failed + further))
