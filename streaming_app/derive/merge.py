"""Merges aggregates of new events and changes into ``user`` and ``session``: share by share, in Spark's tasks or in this process.

1. The driver plans the shares from descriptions: the apps, and the files that may have their users' rows.
2. Aggregates are brought to the shares of their users: by Spark's shuffle or, where all is small, in the driver.
3. Each share reads its stored rows, combines them with the aggregates, and writes new files.
4. The driver commits the files of all shares, in one commit a table.

Grows with: aggregates and touched stored rows in 2 and 3, files in 1 and 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import msgspec

from streaming_app.config.model import SessionsSection
from streaming_app.derive.aggregates import Aggregates
from streaming_app.derive.isolate import SetAside, drop_failed
from streaming_app.derive.read_events import NewRows, TableReader
from streaming_app.derive.session_table import write_sessions
from streaming_app.derive.shares import Share, group_shares, plan_shares
from streaming_app.derive.user_table import write_users
from streaming_app.lake.commit import TableChange
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake
from streaming_app.spark.exchange import exchange
from streaming_app.spark.session import Session
from streaming_app.spark.tasks import parallelism


class Merged(msgspec.Struct, frozen=True):
    """The changes of the tables that a share's task wrote, and the users that it set aside, whose rows are unchanged."""

    user: TableChange
    session: TableChange
    failed: list[SetAside]

    @classmethod
    def decode(cls, message: bytes) -> Merged:
        return msgspec.msgpack.decode(message, type=cls)

    @classmethod
    def merge(cls, all_shares: Sequence[Merged]) -> Merged:
        """The changes of several shares as one."""
        return cls(
            TableChange.merge(each.user for each in all_shares),
            TableChange.merge(each.session for each in all_shares),
            [key for each in all_shares for key in each.failed],
        )


class Merger(Protocol):
    """Computes the rows of a share's users and writes them; nothing is committed. Whether it ``merges_nothing`` says whether it
    is called for a share without aggregates."""

    @property
    def merges_nothing(self) -> bool: ...

    def merge(self, share: Share, new: Aggregates) -> Merged: ...


@dataclass(frozen=True)
class ShareMerger:
    """Merges aggregates into the stored rows of a share, in a task or in the driver."""

    lake: Lake
    sessions: SessionsSection
    job_id: str
    created_ms: int
    merges_nothing: bool = False

    def merge(self, share: Share, new: Aggregates) -> Merged:
        """Write the rows of the users that have new aggregates or changes."""
        failed = list(new.failed)
        # 1. The users.
        due = Aggregates(drop_failed(new.users, failed), changes=drop_failed(new.changes, failed))
        user, aside = write_users(self.lake, share, due, self.job_id, self.created_ms)
        failed += aside
        # 2. The sessions of the users whose rows could be computed.
        session, aside = write_sessions(self.lake, share, drop_failed(new.sessions, failed), self.sessions, self.created_ms)
        return Merged(describe(user), describe(session), failed + aside)


def merge_in_tasks(
    spark: Session | None,
    reader: TableReader,
    merger: Merger,
    rows: Sequence[NewRows],
    counts: Mapping[str, int],
    users: Iterable[DataFile],
    sessions: Iterable[DataFile],
) -> Merged:
    """Read rows in tasks, shuffle what they have to shares, and merge each: the driver sees none of them.

    ``counts`` are the number of shares of each app; ``users`` and ``sessions`` the files that may have the rows of their users.
    """
    shares, router = plan_shares(counts, users, sessions)
    parts = group_shares(shares, parallelism(spark))
    part_of = {share: number for number, part in enumerate(parts) for share in part}
    described = [[(number, shares[number]) for number in part] for part in parts]
    messages = exchange(spark, rows, partial(reader.divide, router, part_of), described, partial(_merge_part, merger))
    return Merged.merge([Merged.decode(each) for each in messages])


def merge_here(merger: Merger, new: Aggregates, apps: Iterable[str], users: list[DataFile], sessions: list[DataFile]) -> Merged:
    """Merge aggregates in this process, a share for each app."""
    shares, router = plan_shares(dict.fromkeys(apps, 1), users, sessions)
    by_share = new.divide(router)
    due = [(share, by_share.get(number)) for number, share in enumerate(shares) if number in by_share or merger.merges_nothing]
    return Merged.merge([merger.merge(share, of_share or Aggregates()) for share, of_share in due])


def _merge_part(merger: Merger, part: Sequence[tuple[int, Share]], messages: Iterable[bytes]) -> bytes:
    """Run in the task of some shares, given by number: merge the messages of each."""
    by_share: dict[int, list[Aggregates]] = {number: [] for number, _ in part}
    for message in messages:
        number, new = Aggregates.decode(message)
        by_share[number].append(new)
    due = [
        (share, by_share[number]) for number, share in part if by_share[number] or share.has_shared_files or merger.merges_nothing
    ]
    merged = [merger.merge(share, Aggregates.concat(parts)) for share, parts in due]
    return msgspec.msgpack.encode(Merged.merge(merged))


def describe(change: TableChange) -> TableChange:
    """What a commit needs of a change: the statistics of removed files stay in the task."""
    removed = [DataFile(file.path, file.partition, file.size, file.rows) for file in change.removed]
    return TableChange(change.added, removed, change.rewritten, change.data_change)
