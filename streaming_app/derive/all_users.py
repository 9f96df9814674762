"""``user`` and ``session`` made anew from all of ``event`` and ``change``, by Spark's tasks, in place of all that is there.

Events become states where they are read; the states of one user meet in one task, by a hash of the user. Nothing but states
travels, and no task holds more than its share of the users.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import msgspec
import pyarrow as pa
from pyspark.sql import SparkSession

from streaming_app.config.model import Config
from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.attributes import LOG_COLUMNS
from streaming_app.derive.isolate import USER as USER_KEY
from streaming_app.derive.isolate import SetAside, compute_isolated, without
from streaming_app.derive.set_aside import quarantine_keys
from streaming_app.derive.states import EVENT_COLUMNS, by_user, to_ipc
from streaming_app.lake.commit import Rewrite, commit_once
from streaming_app.lake.files import LiveFile, WrittenFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.rows import read_batches
from streaming_app.model.tables import CHANGE, EVENT, SESSION, USER, Table
from streaming_app.plugins.registry import apps_with_profiles
from streaming_app.spark.tasks import Group, SizedFile, grouped

EVENTS_PER_PART = 2_000_000
"""About 150 MB of states, which one task combines."""

_STATES, _CHANGES, _FAILED = b"s", b"c", b"f"

Part = Iterable[bytes]
"""Arrow streams of states and changes of some users, and of users that were set aside, each with a letter before it that says
which."""


class Rebuilt(msgspec.Struct):
    """What a rebuild wrote, as a whole or of some users; ``set_aside`` are users, (app, id), whose rows cannot be computed."""

    files: list[WrittenFile]
    failed: list[SetAside]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def set_aside(self) -> set[tuple[str, str]]:
        return {(each.app_id, each.id) for each in self.failed}


def rebuild_table(spark: SparkSession, table: Table, config: Config, lake: Lake, job_id: str) -> Rebuilt:
    """Make all rows of ``user`` or ``session`` anew, and put them in place in one commit.

    Users that are set aside have no rows then, until a replay has computed them.

    Call it only when derive has read all of ``event``: what it has not read yet would be counted twice.
    """
    made = _Users(config, job_id) if table is USER else _Sessions(config)
    sources = [EVENT, CHANGE] if table is USER else [EVENT]
    before = live_files(lake.open(table))
    files = [
        SizedFile(file.path, file.size, f"{source.name} {file.partition['app_id']}")
        for source in sources
        for file in live_files(lake.open(source))
    ]
    rows = sum(file.rows for file in live_files(lake.open(EVENT)))
    parts = max(spark.sparkContext.defaultParallelism, math.ceil(rows / EVENTS_PER_PART))
    read, combine = partial(_states, lake.for_workers, made, parts), partial(_rows, lake.for_workers, table, made)
    parts_done = _shuffled(spark, grouped(files, parts), read, combine)
    done = Rebuilt([file for each in parts_done for file in each.files], [key for each in parts_done for key in each.failed])
    quarantine_keys(lake, done.failed, int(time.time() * 1_000))
    commit_once(lake, table, Rewrite(done.files, before, [], silent=False), "rebuild")
    return done


class _Users:
    """States and rows of ``user``."""

    schema = user_rows.STATE_SCHEMA

    def __init__(self, config: Config, job_id: str) -> None:
        self._with_profiles, self._job_id = apps_with_profiles(config), job_id

    def states(self, events: pa.Table) -> pa.Table:
        return user_rows.states_of(events, self._with_profiles)

    def rows(self, states: pa.Table, changes: pa.Table, created_ms: int) -> pa.Table:
        combined = user_rows.combine_states(pa.concat_tables([states, user_rows.states_of_changes(changes)]))
        return user_rows.rows_of(combined, self._job_id, created_ms)


class _Sessions:
    """States and rows of ``session``."""

    schema = session_rows.STATE_SCHEMA

    def __init__(self, config: Config) -> None:
        self._sessions = config.sessions

    def states(self, events: pa.Table) -> pa.Table:
        return session_rows.states_of(events, self._sessions)

    def rows(self, states: pa.Table, _changes: pa.Table, created_ms: int) -> pa.Table:
        whole = session_rows.with_stored(states)
        return session_rows.rows_of(whole, self._sessions, created_ms).select(SESSION.schema.names)


def _states(lake: Lake, made: _Users | _Sessions, parts: int, group: Group) -> Iterator[tuple[int, bytes]]:
    """What each reading task runs: states (and changes) of its files, by the part that their users belong to."""
    for file in group:
        name, _, app_id = file.tag.partition(" ")
        if name == EVENT.name:
            for events in _with_app(lake, EVENT, file, app_id, EVENT_COLUMNS):
                computed, failed = compute_isolated(made.states, events)
                for states in computed:
                    yield from _by_part(_STATES, states, parts)
                yield from _by_part(_FAILED, _as_table(failed), parts)
        else:
            for changes in _with_app(lake, CHANGE, file, app_id, LOG_COLUMNS):
                yield from _by_part(_CHANGES, changes, parts)


def _with_app(lake: Lake, table: Table, file: SizedFile, app_id: str, columns: tuple[str, ...]) -> Iterator[pa.Table]:
    stored = [name for name in columns if name != "app_id"]
    for rows in read_batches(lake, table, LiveFile(file.uri, {}, file.size), stored):
        yield rows.append_column("app_id", pa.repeat(app_id, len(rows)))


def _by_part(kind: bytes, rows: pa.Table, parts: int) -> Iterator[tuple[int, bytes]]:
    for number, chosen in by_user(rows, parts):
        yield number, kind + to_ipc(chosen)


_FAILED_SCHEMA = pa.schema([(name, pa.string()) for name in ("app_id", "user_pseudo_id", "error", "message")])


def _as_table(failed: list[SetAside]) -> pa.Table:
    rows = [{"app_id": each.app_id, USER_KEY: each.id, "error": each.error, "message": each.message} for each in failed]
    return pa.Table.from_pylist(rows, schema=_FAILED_SCHEMA)


def _rows(lake: Lake, table: Table, made: _Users | _Sessions, part: Part) -> Rebuilt:
    """What each combining task runs: rows of its users, in new files."""
    found: dict[bytes, list[pa.Table]] = {kind: [schema.empty_table()] for kind, schema in _SCHEMAS.items()}
    found[_STATES] = [made.schema.empty_table()]
    for each in part:
        found[each[:1]].append(pa.ipc.open_stream(pa.py_buffer(each).slice(1)).read_all())
    states, changes, aside = (pa.concat_tables(found[kind]) for kind in (_STATES, _CHANGES, _FAILED))
    failed = [SetAside(column=USER_KEY, **row) for row in aside.rename_columns(["app_id", "id", "error", "message"]).to_pylist()]
    compute = partial(made.rows, created_ms=int(time.time() * 1_000))
    computed, further = compute_isolated(compute, without(states, failed), without(changes, failed))
    writer = PartitionWriter(table, lake.uri(table), lake.storage, "rebuilt")
    for rows in computed:
        writer.add(rows)
    return Rebuilt(writer.close(), failed + further)


_SCHEMAS = {
    _CHANGES: pa.schema([CHANGE.schema.field(name) for name in (*LOG_COLUMNS, "app_id")]),
    _FAILED: _FAILED_SCHEMA,
}


def _shuffled(
    spark: SparkSession,
    groups: list[Group],
    read: Callable[[Group], Iterable[tuple[int, bytes]]],
    combine: Callable[[Part], Rebuilt],
) -> list[Rebuilt]:
    """Run ``read`` on each group, and ``combine`` on all that was read for each part."""
    if not groups:
        return []

    def reading(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch["id"].to_pylist():
                for part, made in read(groups[number]):
                    yield pa.RecordBatch.from_pydict({"part": [part], "made": [made]}, schema=_READ)

    def combining(rows: pa.Table) -> pa.Table:
        made = msgspec.json.encode(combine(rows["made"].to_pylist()))
        return pa.table({"made": [made]}, schema=pa.schema([("made", pa.binary())]))

    numbers = spark.range(0, len(groups), 1, len(groups)).mapInArrow(reading, "part int, made binary")
    written = numbers.groupBy("part").applyInArrow(combining, "made binary").collect()
    return [msgspec.json.decode(bytes(row["made"]), type=Rebuilt) for row in written]


_READ = pa.schema([("part", pa.int32()), ("made", pa.binary())])
