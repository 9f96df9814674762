"""The one door for writes: every change of rows of a table is a commit made here.

A commit checks that this process still holds the lock, skips what is committed already, and recognises its own commit where S3
lost the answer to it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from deltalake import CommitProperties, DeltaTable, Transaction
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
        """Of what an operator's command does: given again, it is another transaction."""
        return cls(f"{name}-{uuid.uuid4()}", 0)


@dataclass(frozen=True)
class TableChange:
    """What one commit does to one table.

    ``added`` files hold new rows; ``removed`` files are replaced by ``rewritten`` ones, which hold the same rows without those
    that a new row replaces. With ``data_change`` the removal counts as a change of the data: a stream that reads the table
    skips the whole commit. Without it, the stream sees what was added.
    """

    added: list[DataFile]
    removed: list[DataFile]
    rewritten: list[DataFile]
    data_change: bool = False

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.rewritten)


def is_committed(target: DeltaTable, transaction: TransactionId) -> bool:
    """Whether the table has this transaction, or a later one of the same stream, already."""
    version = target.transaction_version(transaction.stream_id)
    return version is not None and version >= transaction.batch_id


def commit(lake: Lake, table: Table, change: TableChange, transaction: TransactionId, target: DeltaTable | None = None) -> bool:
    """Commit a change; False if its transaction is in the table already.

    Delta records the transaction id but enforces nothing: it is compared here, which is safe because a pipeline has one writer
    at a time. ``target`` is the table where the caller has opened it already.

    Raises:
        LockError: this process may no longer write.
        SinkError: it could not be written.
    """
    # 1. Only the holder of the lock may write.
    lake.guard()
    # 2. What is committed is not committed twice.
    target = lake.open(table) if target is None else target
    if is_committed(target, transaction):
        return False
    # 3. The commit. Rewritten rows are no change of the data.
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


def roll_back(lake: Lake, table: Table, transaction: TransactionId, version: int) -> None:
    """Restore the version before a transaction, if the table has that transaction.

    Raises:
        LockError: this process may no longer write.
        SinkError: it could not be written.
    """
    if not is_committed(lake.open(table), transaction):
        return
    lake.guard()
    target = lake.open(table)
    # Of a stream's transactions the last one counts, so this one withdraws the transaction itself, too.
    before = Transaction(transaction.stream_id, transaction.batch_id - 1)
    with _tolerate_own_commit(target, lambda: not is_committed(lake.open(table), transaction)):
        target.restore(version, commit_properties=CommitProperties(app_transactions=[before]))


@contextmanager
def _tolerate_own_commit(target: DeltaTable, is_done: Callable[[], bool]) -> Iterator[None]:
    """Ignore the failure of a commit that was made all the same.

    S3 may write an object and lose the answer: deltalake then tries again, meets its own commit and takes it for another
    writer's.

    Raises:
        SinkError: it was not made.
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
