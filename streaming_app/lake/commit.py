"""Commits of files that are written already: once per micro-batch, in one transaction."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from streaming_app.errors import SinkError
from streaming_app.lake.files import LiveFile, WrittenFile
from streaming_app.lake.lake import Lake
from streaming_app.model.tables import Table


@dataclass(frozen=True)
class Rewrite:
    """What one micro-batch does to one table.

    ``added`` are new rows; ``removed`` files give way to ``rewritten`` ones that hold the same rows but for those that a
    new row replaces. If ``silent``, a stream that reads the table is shown only what was added.
    """

    added: list[WrittenFile]
    removed: list[LiveFile]
    rewritten: list[WrittenFile]
    silent: bool = True


def committed(table: DeltaTable, stream_id: str, batch_id: int) -> bool:
    """Whether this micro-batch is in the table already."""
    version = table.transaction_version(stream_id)
    return version is not None and version >= batch_id


def commit(table: DeltaTable, contract: Table, rewrite: Rewrite, stream_id: str, batch_id: int) -> bool:
    """Commit what a micro-batch does in one transaction; False if this batch is in the table already.

    The Delta protocol records the transaction id but nothing enforces it: it is compared here, which is safe because a
    pipeline has one writer at a time.
    """
    if committed(table, stream_id, batch_id):
        return False
    actions: list[AddAction | RemoveAction] = [*_adds(rewrite.added, news=True), *_adds(rewrite.rewritten, news=False)]
    now = int(time.time() * 1000)
    actions += [RemoveAction(file.path, not rewrite.silent, now, file.size, dict(file.partition)) for file in rewrite.removed]

    def is_done() -> bool:
        table.update_incremental()
        return committed(table, stream_id, batch_id)

    with unless_done(table, is_done):
        table.create_write_transaction(
            actions,
            mode="append",
            schema=contract.schema,
            partition_by=list(contract.partition_by) or None,
            commit_properties=CommitProperties(app_transactions=[Transaction(stream_id, batch_id)]),
        )
    return True


def commit_once(lake: Lake, table: Table, rewrite: Rewrite, what: str) -> None:
    """Commit what an operator's command does, as a transaction of its own: given again, it is another one.

    Raises:
        LeaseError: this process may no longer write.
        SinkError: it could not be written.
    """
    lake.guard()
    commit(lake.open(table), table, rewrite, f"{what}-{uuid.uuid4()}", 0)


@contextmanager
def unless_done(table: DeltaTable, is_done: Callable[[], bool]) -> Iterator[None]:
    """A commit. S3 may do one whose answer is lost: deltalake tries it again, meets its own and takes it for another writer's.

    Raises:
        SinkError: it was not done.
    """
    try:
        yield
    except (DeltaError, OSError) as error:
        if not is_done():
            raise SinkError(f"{table.table_uri}: cannot be written: {error}", "what was committed stays; run it again") from error


def _adds(files: Iterable[WrittenFile], *, news: bool) -> Iterator[AddAction]:
    now = int(time.time() * 1000)
    for file in files:
        yield AddAction(file.path, file.size, file.partition, now, news, file.stats)
