"""Reads files of ``event`` and ``change`` in tasks, and aggregates the events by user and session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming_app.config.model import Config
from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.aggregates import CHANGE_SCHEMA, EVENT_COLUMNS, Aggregates
from streaming_app.derive.isolate import compute_isolated
from streaming_app.derive.shares import Router
from streaming_app.lake.rows import conform_to_schema, in_chunks
from streaming_app.model.tables import CHANGE, EVENT
from streaming_app.plugins.registry import apps_with_profiles
from streaming_app.spark.table_stream import TableFile
from streaming_app.storage.files import Storage

CHUNK_ROWS = 1 << 16
CHUNK_BYTES = 64 << 20
_READ_ROWS = 1 << 10
"""Rows that are read at a time and joined to chunks: a thousand events with the longest possible texts take 200 MB."""
_KEY = "user_pseudo_id"
_EVENT_SCHEMA = pa.schema([EVENT.schema.field(name) for name in EVENT_COLUMNS])
_CHANGE_SCHEMA = pa.schema([field for field in CHANGE_SCHEMA if field.name not in CHANGE.partition_by])

SomeUsers = Mapping[str, pa.Array]
"""App id to the ids of users whose rows are read."""


@dataclass(frozen=True)
class NewRows:
    """What a task brings to the shares: files that it reads, or what the driver has read already, as messages."""

    files: list[TableFile] = field(default_factory=list)
    collected: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class TableReader:
    """Reads files in tasks: the rows of some ``users``, or with None of all."""

    storage: Storage
    config: Config
    users: SomeUsers | None = None

    def read(self, files: Iterable[TableFile]) -> Iterator[Aggregates]:
        """Aggregate the events and read the changes of some files; yields what each chunk has."""
        aggregate_users = partial(user_rows.aggregate_events, in_all_events=apps_with_profiles(self.config))
        aggregate_sessions = partial(session_rows.aggregate_events, sessions=self.config.sessions)
        for file in files:
            if file.table == CHANGE.name:
                yield from (Aggregates(changes=rows) for rows in self._read_chunks(file, _CHANGE_SCHEMA))
                continue
            for events in self._read_chunks(file, _EVENT_SCHEMA):
                users, failed = compute_isolated(aggregate_users, events)
                sessions, further = compute_isolated(aggregate_sessions, events)
                parts = [Aggregates(users=each) for each in users] + [Aggregates(sessions=each) for each in sessions]
                yield Aggregates.concat([*parts, Aggregates(failed=failed + further)])

    def encode(self, files: Iterable[TableFile]) -> Iterator[bytes]:
        """The same as messages."""
        return (each.encode() for each in self.read(files))

    def divide(self, router: Router, part_of: Mapping[int, int], rows: NewRows) -> Iterator[tuple[int, bytes]]:
        """The same as messages by share, each with the number of the part that merges it."""
        collected = [Aggregates.decode(each)[1] for each in rows.collected]
        for source in (collected, self.read(rows.files)):
            for new in source:
                for share, aggregates in new.divide(router).items():
                    yield part_of[share], aggregates.encode(share)

    def _read_chunks(self, file: TableFile, schema: pa.Schema) -> Iterator[pa.Table]:
        """Read the rows of one file in chunks that fit a worker's memory; columns that an older layout lacks are null."""
        ids = None if self.users is None else self.users.get(file.app_id, pa.array([], pa.string()))
        system, path = self.storage.filesystem(file.uri)
        with pq.ParquetFile(path, filesystem=system) as parquet:
            groups = range(parquet.num_row_groups) if ids is None else _groups_with(parquet, ids)
            batches = parquet.iter_batches(batch_size=_READ_ROWS, row_groups=list(groups), columns=schema.names)
            if ids is not None:
                batches = (batch.filter(pc.is_in(batch[_KEY], ids)) for batch in batches)
            for chunk in in_chunks(batches, CHUNK_ROWS, CHUNK_BYTES):
                rows = conform_to_schema(chunk, schema)
                yield rows.append_column("app_id", pa.repeat(file.app_id, len(rows)))


def _groups_with(parquet: pq.ParquetFile, ids: pa.Array) -> Sequence[int]:
    """The row groups with a row of one of some users: all other columns are read of these only."""
    groups = range(parquet.num_row_groups)
    return [each for each in groups if pc.any(pc.is_in(parquet.read_row_group(each, [_KEY])[_KEY], ids)).as_py()]
