"""Messages with aggregates of users and sessions between tasks and driver, and their division into parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.isolate import SetAside
from streaming_app.derive.shares import Router
from streaming_app.lake.duckdb import query
from streaming_app.lake.ipc import from_ipc, to_ipc

EVENT_COLUMNS = tuple(dict.fromkeys((*user_rows.EVENT_COLUMNS, *session_rows.EVENT_COLUMNS)))
"""Columns of ``event`` that are read to aggregate users and sessions, in addition to app_id."""


@dataclass(frozen=True)
class Aggregates:
    """Aggregates of new events and changes, and the users whose events or changes could not be aggregated."""

    users: pa.Table = field(default_factory=user_rows.AGGREGATE_SCHEMA.empty_table)
    sessions: pa.Table = field(default_factory=session_rows.AGGREGATE_SCHEMA.empty_table)
    failed: list[SetAside] = field(default_factory=list)

    @classmethod
    def concat(cls, parts: Iterable[Aggregates]) -> Aggregates:
        """All aggregates of some parts."""
        chosen = [cls(), *parts]
        users, sessions = (pa.concat_tables(each) for each in zip(*((part.users, part.sessions) for part in chosen), strict=True))
        return cls(users, sessions, [key for part in chosen for key in part.failed])

    def divide(self, router: Router) -> dict[int, Aggregates]:
        """Divide the aggregates by the shares of their users."""
        users, sessions = dict(router.divide(self.users)), dict(router.divide(self.sessions))
        failed: dict[int, list[SetAside]] = {}
        for each in self.failed:
            failed.setdefault(router.share_of(each.app_id, each.id), []).append(each)
        return {
            number: Aggregates(
                users.get(number, self.users.slice(0, 0)), sessions.get(number, self.sessions.slice(0, 0)), failed.get(number, [])
            )
            for number in users | sessions | failed
        }

    def encode(self, share: int = 0) -> bytes:
        """The aggregates as a message, with the number of the share that they all belong to, if they were divided."""
        return msgspec.msgpack.encode(_Message(share, to_ipc(self.users), to_ipc(self.sessions), self.failed))

    @classmethod
    def decode(cls, message: bytes) -> tuple[int, Aggregates]:
        """The number of the share and the aggregates of a message."""
        found = msgspec.msgpack.decode(message, type=_Message)
        return found.share, cls(from_ipc(found.users), from_ipc(found.sessions), found.failed)


class _Message(msgspec.Struct, frozen=True):
    """Aggregates as Arrow streams."""

    share: int
    users: bytes
    sessions: bytes
    failed: list[SetAside]


class UserPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """The message of a full rebuild's task about users of a share: Arrow streams of aggregates and changes, and users set
    aside."""

    share: int
    aggregates: list[bytes] = msgspec.field(default_factory=list)
    changes: list[bytes] = msgspec.field(default_factory=list)
    failed: list[SetAside] = msgspec.field(default_factory=list)


PART_ROWS = 16_384
"""Number of aggregates that are combined at a time: DuckDB needs about 10 kB for each."""
PART_BYTES = 64 << 20
"""Bytes of aggregates that are combined at a time, for users with very large attributes."""


def split_into_parts(aggregates: pa.Table, stored: pa.Table) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Split new and stored aggregates into parts that take little memory to combine; a user's aggregates are in one part."""
    rows, size = len(aggregates) + len(stored), aggregates.nbytes + stored.nbytes
    parts = 1 + max(rows // PART_ROWS, size // PART_BYTES)
    known = dict(partition_by_user(stored, parts))
    for number, part in partition_by_user(aggregates, parts):
        yield part, known.get(number, stored.slice(0, 0))


def partition_by_user(rows: pa.Table, parts: int) -> Iterator[tuple[int, pa.Table]]:
    """Divide rows into parts by user; yields the part's number and its rows, without empty parts."""
    if parts == 1:
        yield from [(0, rows)] if len(rows) else []
        return
    part = query(f"SELECT CAST(hash(app_id, user_pseudo_id) % {parts} AS INTEGER) AS part FROM rows", rows=rows)["part"]
    for number in range(parts):
        chosen = rows.filter(pc.equal(part, number))
        if len(chosen):
            yield number, chosen
