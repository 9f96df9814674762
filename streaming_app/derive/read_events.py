"""Reads new files of ``event`` in tasks and aggregates them by user and session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq

from streaming_app.config.model import Config
from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.aggregates import EVENT_COLUMNS, Aggregates
from streaming_app.derive.isolate import compute_isolated
from streaming_app.lake.rows import conform_to_schema, in_chunks
from streaming_app.model.tables import EVENT
from streaming_app.plugins.registry import apps_with_profiles
from streaming_app.spark.table_stream import TableFile
from streaming_app.storage.files import Storage

CHUNK_ROWS = 1 << 16
CHUNK_BYTES = 64 << 20
_READ_ROWS = 1 << 10
"""Rows that are read at a time and joined to chunks: a thousand events with the longest possible texts take 200 MB."""


def aggregate_files(storage: Storage, config: Config, files: Iterable[TableFile]) -> Iterator[Aggregates]:
    """Run in each task: aggregate the events of its files; yields aggregates for each chunk."""
    aggregate_users = partial(user_rows.aggregate_events, in_all_events=apps_with_profiles(config))
    aggregate_sessions = partial(session_rows.aggregate_events, sessions=config.sessions)
    for file in files:
        for events in _read_chunks(storage, file):
            users, failed = compute_isolated(aggregate_users, events)
            sessions, further = compute_isolated(aggregate_sessions, events)
            parts = [Aggregates(users=each) for each in users] + [Aggregates(sessions=each) for each in sessions]
            yield Aggregates.concat([*parts, Aggregates(failed=failed + further)])


def encode_aggregates(storage: Storage, config: Config, files: Iterable[TableFile]) -> Iterator[bytes]:
    """Run in each task: the same as messages."""
    return (each.encode() for each in aggregate_files(storage, config, files))


def _read_chunks(storage: Storage, file: TableFile) -> Iterator[pa.Table]:
    """Read the events of one file in chunks that fit a worker's memory; columns that an older layout lacks are null."""
    system, path = storage.filesystem(file.uri)
    schema = pa.schema([EVENT.schema.field(name) for name in EVENT_COLUMNS])
    with pq.ParquetFile(path, filesystem=system) as parquet:
        batches = parquet.iter_batches(batch_size=_READ_ROWS, columns=list(EVENT_COLUMNS))
        for chunk in in_chunks(batches, CHUNK_ROWS, CHUNK_BYTES):
            events = conform_to_schema(chunk, schema)
            yield events.append_column("app_id", pa.repeat(file.app_id, len(events)))
