"""The DERIVE query: new rows of ``event`` and ``change`` update ``user``, ``session`` and ``item_attributes``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from streaming_app.config.model import Config
from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.aggregates import EVENT_COLUMNS, NewAggregates, from_ipc, to_ipc
from streaming_app.derive.changes import changed_keys, read_changes, upsert_items
from streaming_app.derive.hooks import run_hooks
from streaming_app.derive.isolate import SetAside, compute_isolated, drop_failed
from streaming_app.derive.rebuild import rebuild_stale_users
from streaming_app.derive.session_table import upsert_sessions
from streaming_app.derive.set_aside import quarantine_keys
from streaming_app.derive.user_table import upsert_users
from streaming_app.lake.commit import TransactionId
from streaming_app.lake.lake import Lake
from streaming_app.lake.rows import conform_to_schema, in_chunks
from streaming_app.metrics.summary import Summary
from streaming_app.model.tables import CHANGE, EVENT
from streaming_app.plugins.registry import apps_with_profiles
from streaming_app.spark.session import Session
from streaming_app.spark.streams import MicroBatch, run_available_now
from streaming_app.spark.table_stream import NewFiles, TableFile, files_of, new_files
from streaming_app.spark.tasks import group_by_size, parallelism, run_tasks
from streaming_app.storage.files import Storage

CHUNK_ROWS = 1 << 16
CHUNK_BYTES = 64 << 20
_READ_ROWS = 1 << 10
"""Rows that are read at a time and joined to chunks: a thousand events with the longest possible texts take 200 MB."""


def derive(spark: Session, config: Config, lake: Lake, summary: Summary) -> None:
    """Run the query until the derived tables include every event and change that existed at its start."""

    def process(batch: MicroBatch) -> None:
        with summary.measure_time("derive files"):
            files = files_of(spark, batch)
        update(batch.session, files, config, lake, summary, TransactionId(batch.stream_id, batch.batch_id))

    run_available_now(new_files(spark, lake, (EVENT, CHANGE)), config.checkpoint_uri("derive"), process)
    with summary.measure_time("rebuild"):
        summary.keys_set_aside += len(rebuild_stale_users(config, lake, summary.job_id))


def update(spark: Session, files: NewFiles, config: Config, lake: Lake, summary: Summary, transaction: TransactionId) -> None:
    """Merge the new events and changes of some files into the derived tables, each in one transaction."""
    with summary.measure_time("derive states"):
        groups = group_by_size(files[EVENT.name], parallelism(spark))
        messages = run_tasks(spark, groups, partial(compute_aggregates, lake.storage, config)) if groups else []
    merge_aggregates(messages, files, config, lake, summary, transaction)
    run_hooks(spark, [file.uri for file in files[EVENT.name]], config, lake, transaction)


def merge_aggregates(
    messages: Iterable[bytes], files: NewFiles, config: Config, lake: Lake, summary: Summary, transaction: TransactionId
) -> None:
    """Merge aggregates of new events, and new changes, into ``user``, ``item_attributes`` and ``session``.

    ``messages`` are encoded :class:`NewAggregates`. Users and items whose rows cannot be computed are set aside: they are added
    to ``quarantine``, and their rows are unchanged.
    """
    created_ms = int(time.time() * 1000)
    with summary.measure_time("derive user"):
        # 1. Decode the results of the tasks.
        users, sessions = [user_rows.AGGREGATE_SCHEMA.empty_table()], [session_rows.AGGREGATE_SCHEMA.empty_table()]
        failed: list[SetAside] = []
        for message in messages:
            new = msgspec.msgpack.decode(message, type=NewAggregates)
            users += map(from_ipc, new.users)
            sessions += map(from_ipc, new.sessions)
            failed += new.failed
        # 2. Update the users, with all changes of those that have new ones; then the items.
        if changed := changed_keys(lake, files[CHANGE.name], "user_pseudo_id"):
            aggregates, aside = compute_isolated(user_rows.aggregate_changes, read_changes(lake, changed, "user_pseudo_id"))
            users += aggregates
            failed += aside
        quarantine_keys(lake, failed, created_ms)
        failed += upsert_users(lake, drop_failed(pa.concat_tables(users), failed), summary.job_id, created_ms, transaction)
        items = upsert_items(lake, changed_keys(lake, files[CHANGE.name], "item_id"), created_ms, transaction)
    with summary.measure_time("derive session"):
        # 3. Update the sessions of the users whose rows could be computed.
        remaining = drop_failed(pa.concat_tables(sessions), failed)
        failed += upsert_sessions(lake, remaining, config.sessions, created_ms, transaction)
    summary.keys_set_aside += len({(each.app_id, each.id) for each in failed}) + len(items)


def compute_aggregates(storage: Storage, config: Config, group: list[TableFile]) -> Iterator[bytes]:
    """Run in each task: aggregate the events of its files; yields a message for each chunk."""
    aggregate_users = partial(user_rows.aggregate_events, in_all_events=apps_with_profiles(config))
    aggregate_sessions = partial(session_rows.aggregate_events, sessions=config.sessions)
    encode = msgspec.msgpack.Encoder().encode
    for file in group:
        for events in _read_chunks(storage, file):
            users, failed = compute_isolated(aggregate_users, events)
            sessions, further = compute_isolated(aggregate_sessions, events)
            yield encode(NewAggregates([to_ipc(each) for each in users], [to_ipc(each) for each in sessions], failed + further))


def _read_chunks(storage: Storage, file: TableFile) -> Iterator[pa.Table]:
    """Read the events of one file in chunks that fit a worker's memory; columns that an older layout lacks are null."""
    system, path = storage.filesystem(file.uri)
    schema = pa.schema([EVENT.schema.field(name) for name in EVENT_COLUMNS])
    with pq.ParquetFile(path, filesystem=system) as parquet:
        batches = parquet.iter_batches(batch_size=_READ_ROWS, columns=list(EVENT_COLUMNS))
        for chunk in in_chunks(batches, CHUNK_ROWS, CHUNK_BYTES):
            events = conform_to_schema(chunk, schema)
            yield events.append_column("app_id", pa.repeat(file.app_id, len(events)))
