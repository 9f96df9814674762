"""The DERIVE query: what is new in ``event`` and ``change`` becomes news of ``user``, ``session`` and ``item_attributes``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from streaming_app.config.model import Config
from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.changes import log_of, touched, upsert_items
from streaming_app.derive.hooks import run_hooks
from streaming_app.derive.isolate import SetAside, compute_isolated, without
from streaming_app.derive.new_files import NewFiles, files_of, new_files
from streaming_app.derive.rebuild import rebuild_stale_users
from streaming_app.derive.session_table import upsert_sessions
from streaming_app.derive.set_aside import quarantine_keys
from streaming_app.derive.states import EVENT_COLUMNS, to_ipc
from streaming_app.derive.user_table import upsert_users
from streaming_app.lake.lake import Lake
from streaming_app.lake.rows import conformed, in_chunks
from streaming_app.lake.upsert import Transaction
from streaming_app.metrics.summary import Summary
from streaming_app.model.tables import CHANGE, EVENT
from streaming_app.plugins.registry import apps_with_profiles
from streaming_app.spark.streams import run_available_now
from streaming_app.spark.tasks import Group, grouped, run_tasks
from streaming_app.storage.files import Storage

CHUNK_ROWS = 1 << 16
CHUNK_BYTES = 64 << 20
_READ_ROWS = 1 << 10
"""Rows that are read at a time, to be joined to chunks: a thousand events with the longest texts take 200 MB."""


def derive(spark: SparkSession, config: Config, lake: Lake, summary: Summary) -> None:
    """Run the query until the derived tables know every event and change that was there at its start."""

    def process(batch: DataFrame, stream_id: str, batch_id: int) -> None:
        with summary.timed("derive files"):
            files = files_of(spark, batch, stream_id)
        update(batch.sparkSession, files, config, lake, summary, (stream_id, batch_id))

    run_available_now(new_files(spark, lake), config.checkpoint_uri("derive"), process)
    with summary.timed("rebuild"):
        summary.keys_set_aside += len(rebuild_stale_users(config, lake, summary.job_id))


def update(spark: SparkSession, files: NewFiles, config: Config, lake: Lake, summary: Summary, transaction: Transaction) -> None:
    """Bring the news of some files into the tables, each in one transaction that happens once."""
    with summary.timed("derive states"):
        groups = grouped(files[EVENT.name], spark.sparkContext.defaultParallelism)
        made = run_tasks(spark, groups, partial(compute_states, lake.storage, config)) if groups else []
    apply_states(made, files, config, lake, summary, transaction)
    run_hooks(spark, [file.uri for file in files[EVENT.name]], config, lake, transaction)


def apply_states(
    made: list[bytes], files: NewFiles, config: Config, lake: Lake, summary: Summary, transaction: Transaction
) -> None:
    """Bring states of new events, and new changes, into ``user``, ``item_attributes`` and ``session``.

    Users and items whose rows cannot be computed are set aside: ``quarantine`` names them, their rows stay as they are.
    """
    created_ms = int(time.time() * 1000)
    failed = [key for each in made if each[:1] == _FAILED for key in msgspec.json.decode(each[1:], type=list[SetAside])]
    with summary.timed("derive user"):
        users = [_joined(made, _USERS, user_rows.STATE_SCHEMA)]
        if changed := touched(lake, files[CHANGE.name], "user_pseudo_id"):
            states, aside = compute_isolated(user_rows.states_of_changes, log_of(lake, changed, "user_pseudo_id"))
            users += states
            failed += aside
        quarantine_keys(lake, failed, created_ms)
        failed += upsert_users(lake, without(pa.concat_tables(users), failed), summary.job_id, created_ms, transaction)
        items = upsert_items(lake, touched(lake, files[CHANGE.name], "item_id"), created_ms, transaction)
    with summary.timed("derive session"):
        sessions = without(_joined(made, _SESSIONS, session_rows.STATE_SCHEMA), failed)
        failed += upsert_sessions(lake, sessions, config.sessions, created_ms, transaction)
    summary.keys_set_aside += len({(each.app_id, each.id) for each in failed}) + len(items)


def compute_states(storage: Storage, config: Config, group: Group) -> Iterator[bytes]:
    """What each task runs: the states of all events of its files, a chunk at a time."""
    users = partial(user_rows.states_of, in_all_events=apps_with_profiles(config))
    sessions = partial(session_rows.states_of, sessions=config.sessions)
    for file in group:
        for events in _chunks(storage, file.uri, file.tag):
            for kind, compute in ((_USERS, users), (_SESSIONS, sessions)):
                made, failed = compute_isolated(compute, events)
                yield from (kind + to_ipc(states) for states in made)
                if failed:
                    yield _FAILED + msgspec.json.encode(failed)


_USERS, _SESSIONS, _FAILED = b"u", b"s", b"f"


def _chunks(storage: Storage, uri: str, app_id: str) -> Iterator[pa.Table]:
    """The events of one file, as many at a time as fit a worker's memory easily; what an older version did not know is null."""
    system, path = storage.filesystem(uri)
    schema = pa.schema([EVENT.schema.field(name) for name in EVENT_COLUMNS])
    with pq.ParquetFile(path, filesystem=system) as file:
        batches = file.iter_batches(batch_size=_READ_ROWS, columns=list(EVENT_COLUMNS))
        for chunk in in_chunks(batches, CHUNK_ROWS, CHUNK_BYTES):
            events = conformed(chunk, schema)
            yield events.append_column("app_id", pa.repeat(app_id, len(events)))


def _joined(streams: Iterable[bytes], kind: bytes, schema: pa.Schema) -> pa.Table:
    """The tables of one kind as one."""
    tables = (pa.ipc.open_stream(pa.py_buffer(each).slice(1)).read_all() for each in streams if each[:1] == kind)
    return pa.concat_tables([schema.empty_table(), *tables])
