"""Commits changes to tables: every change of a table's rows is committed by this module.

A commit checks that this process still holds the lock, skips a transaction that is committed already, and recognises its own
commit if S3's response to it was lost.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from streaming_app.errors import SinkError
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake
from streaming_app.model.tables import Table


class TransactionId(NamedTuple):
    """The id of a stream and the number of its micro-batch: a table has each at most once."""

    stream_id: str
    batch_id: int

    @classmethod
    def unique(cls, name: str) -> TransactionId:
        """A new id for an operator's command, which is another transaction each time it runs."""
        return cls(f"{name}-{uuid.uuid4()}", 0)


@dataclass(frozen=True)
class TableChange:
    """The change of one table by one commit.

    ``added`` files hold new rows; ``removed`` files are replaced by ``rewritten`` ones, which hold the same rows without those
    that a new row replaces. With ``data_change`` the removal counts as a data change: a stream that reads the table skips the
    whole commit. Without it, the stream gets the added files.
    """

    added: list[DataFile]
    removed: list[DataFile]
    rewritten: list[DataFile]
    data_change: bool = False

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.rewritten)

    @classmethod
    def merge(cls, changes: Iterable[TableChange]) -> TableChange:
        """One change from those that tasks made; a file that several of them replace is removed once."""
        added: list[DataFile] = []
        rewritten: list[DataFile] = []
        removed: dict[str, DataFile] = {}
        data_change = False
        for each in changes:
            added += each.added
            removed |= {file.path: file for file in each.removed}
            rewritten += each.rewritten
            data_change |= each.data_change
        return cls(added, list(removed.values()), rewritten, data_change)


def is_committed(target: DeltaTable, transaction: TransactionId) -> bool:
    """Whether the table already has this transaction, or a later one of the same stream."""
    version = target.transaction_version(transaction.stream_id)
    return version is not None and version >= transaction.batch_id


def commit(lake: Lake, table: Table, change: TableChange, transaction: TransactionId, target: DeltaTable | None = None) -> bool:
    """Commit a change; returns False if its transaction is committed already.

    Delta records the transaction id but does not enforce it. It is compared here, which is safe because a pipeline has one
    writer at a time. ``target`` is the table, if the caller has opened it already.

    Raises:
        LockError: this process may no longer write.
        SinkError: it could not be written.
    """
    # 1. Check that this process still holds the lock.
    lake.guard()
    # 2. Skip a transaction that is committed already.
    target = lake.open(table) if target is None else target
    if is_committed(target, transaction):
        return False
    # 3. Commit. Rewritten rows are not a data change.
    now = int(time.time() * 1000)
    actions: list[AddAction | RemoveAction] = [
        *_add_actions(change.added, now, data_change=True),
        *_add_actions(change.rewritten, now, data_change=False),
    ]
    actions += [RemoveAction(file.path, change.data_change, now, file.size, dict(file.partition)) for file in change.removed]

    def is_done() -> bool:
        target.update_incremental()
        return is_committed(target, transaction)

    with _tolerate_own_commit(target, is_done):
        target.create_write_transaction(
            actions,
            mode="append",
            schema=table.schema,
            partition_by=list(table.partition_by) or None,
            commit_properties=CommitProperties(app_transactions=[Transaction(*transaction)]),
        )
    return True


def overwrite(lake: Lake, table: Table, files: Iterable[DataFile], target: DeltaTable) -> None:
    """Replace all files of a table, which the caller has opened as ``target``, and its schema by that of the contract.

    Raises:
        LockError: this process may no longer write.
        SinkError: it could not be written.
    """
    lake.guard()
    schema = Schema.from_arrow(table.schema)

    def is_done() -> bool:
        target.update_incremental()
        return bool(target.schema() == schema)

    with _tolerate_own_commit(target, is_done):
        target.create_write_transaction(
            [*_add_actions(files, int(time.time() * 1000), data_change=True)],
            mode="overwrite",
            schema=schema,
            partition_by=list(table.partition_by) or None,
        )


def roll_back(lake: Lake, table: Table, transaction: TransactionId, version: int) -> None:
    """Restore the version before a transaction, if the table has that transaction.

    Raises:
        LockError: this process may no longer write.
        SinkError: it could not be written.
    """
    target = lake.open(table)
    if not is_committed(target, transaction):
        return
    lake.guard()
    # A stream's last transaction counts, so that this one withdraws the transaction id as well.
    before = Transaction(transaction.stream_id, transaction.batch_id - 1)
    with _tolerate_own_commit(target, lambda: not is_committed(lake.open(table), transaction)):
        target.restore(version, commit_properties=CommitProperties(app_transactions=[before]))


@contextmanager
def _tolerate_own_commit(target: DeltaTable, is_done: Callable[[], bool]) -> Iterator[None]:
    """Ignore the failure of a commit that was in fact made.

    S3 may write an object and the response may be lost: deltalake then retries, finds its own commit and takes it for another
    writer's.

    Raises:
        SinkError: the commit was not made.
    """
    try:
        yield
    except (DeltaError, OSError) as error:
        if not is_done():
            raise SinkError(
                f"{target.table_uri}: cannot be written: {error}", "what was committed stays; run it again"
            ) from error


def _add_actions(files: Iterable[DataFile], now_ms: int, *, data_change: bool) -> Iterator[AddAction]:
    return (AddAction(file.path, file.size, file.partition, now_ms, data_change, file.stats) for file in files)
