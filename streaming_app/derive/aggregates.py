"""Messages with aggregates of users and sessions between tasks and driver, and their division into parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.derive import session_rows, user_rows
from streaming_app.derive.attributes import LOG_COLUMNS
from streaming_app.derive.isolate import SetAside
from streaming_app.derive.shares import Router
from streaming_app.lake.duckdb import query
from streaming_app.lake.ipc import from_ipc, to_ipc
from streaming_app.model.tables import CHANGE

EVENT_COLUMNS = tuple(dict.fromkeys((*user_rows.EVENT_COLUMNS, *session_rows.EVENT_COLUMNS)))
"""Columns of ``event`` that are read to aggregate users and sessions, in addition to app_id."""


CHANGE_SCHEMA = pa.schema([CHANGE.schema.field(name) for name in (*LOG_COLUMNS, "app_id")])
"""The columns of ``change`` that are read to compute users."""


@dataclass(frozen=True)
class Aggregates:
    """Aggregates of events, changes of users, and the users whose events could not be aggregated."""

    users: pa.Table = field(default_factory=user_rows.AGGREGATE_SCHEMA.empty_table)
    sessions: pa.Table = field(default_factory=session_rows.AGGREGATE_SCHEMA.empty_table)
    changes: pa.Table = field(default_factory=CHANGE_SCHEMA.empty_table)
    failed: list[SetAside] = field(default_factory=list)

    @classmethod
    def concat(cls, parts: Iterable[Aggregates]) -> Aggregates:
        """All aggregates and changes of some parts."""
        chosen = [cls(), *parts]
        tables = zip(*(part.tables for part in chosen), strict=True)
        return cls.of(map(pa.concat_tables, tables), [key for part in chosen for key in part.failed])

    @classmethod
    def of(cls, tables: Iterable[pa.Table], failed: list[SetAside]) -> Aggregates:
        """From the tables in the order of :attr:`tables`."""
        users, sessions, changes = tables
        return cls(users, sessions, changes, failed)

    def divide(self, router: Router) -> dict[int, Aggregates]:
        """Divide everything by the shares of its users."""
        tables = [dict(router.divide(each)) for each in (self.users, self.sessions, self.changes)]
        failed: dict[int, list[SetAside]] = {}
        for each in self.failed:
            failed.setdefault(router.share_of(each.app_id, each.id), []).append(each)
        nothing = Aggregates().tables
        return {
            number: Aggregates.of(
                (each.get(number, empty) for each, empty in zip(tables, nothing, strict=True)), failed.get(number, [])
            )
            for number in sorted(set().union(*tables, failed))
        }

    @property
    def all_users(self) -> pa.Table:
        """The users with something new."""
        keys = ["app_id", "user_pseudo_id"]
        return pa.concat_tables([self.users.select(keys), self.changes.select(keys)])

    @property
    def tables(self) -> tuple[pa.Table, pa.Table, pa.Table]:
        return self.users, self.sessions, self.changes

    def encode(self, share: int = 0) -> bytes:
        """Everything as a message, with the number of the share that it belongs to, if it was divided."""
        return msgspec.msgpack.encode(_Message(share, [to_ipc(each) if len(each) else None for each in self.tables], self.failed))

    @classmethod
    def decode(cls, message: bytes) -> tuple[int, Aggregates]:
        """The number of the share, and what a message has."""
        found = msgspec.msgpack.decode(message, type=_Message)
        tables = zip(found.tables, cls().tables, strict=True)
        return found.share, cls.of((empty if each is None else from_ipc(each) for each, empty in tables), found.failed)


class _Message(msgspec.Struct, frozen=True):
    """Tables as Arrow streams; None for one without rows."""

    share: int
    tables: list[bytes | None]
    failed: list[SetAside]


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
