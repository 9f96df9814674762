"""Delta tables without the JVM: create, look up files, and commit files that are written already, once per micro-batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from streaming_app.config.model import Config
from streaming_app.errors import SinkError
from streaming_app.model.tables import TABLES, Table
from streaming_app.storage import Storage
from streaming_app.tables.files import LiveFile, WrittenFile
from streaming_app.tables.layout import bring_up_to_date, check_readable, properties_of


@dataclass(frozen=True)
class Sink:
    """The tables of one pipeline, below ``root``; ``guard`` raises once this process may no longer write to them."""

    root: str
    storage: Storage
    guard: Callable[[], None] = lambda: None

    @property
    def for_workers(self) -> Sink:
        """The same tables for tasks elsewhere, which write files but commit nothing."""
        return Sink(self.root, self.storage)

    def uri(self, table: Table) -> str:
        return f"{self.root.rstrip('/')}/{table.name}"

    def open(self, table: Table) -> DeltaTable:
        """The table at its newest version.

        Raises:
            SinkError: it is not there or cannot be read.
        """
        found = self._found(table)
        if found is None:
            raise SinkError(f"{self.uri(table)}: there is no such table yet", "run the job first: clickstream run")
        return found

    def _found(self, table: Table) -> DeltaTable | None:
        try:
            found = DeltaTable(self.uri(table), storage_options=self.storage.delta_options())
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise SinkError(f"{self.uri(table)}: cannot be read: {error}", "check the path and your rights on it") from None
        check_readable(found)
        return found

    def create_all(self) -> None:
        """Make the tables that are missing, empty, so that every reader finds all of them from the first run on.

        Tables that an older version of this application made get the columns that have come since.

        Raises:
            SinkError: a newer version made one of them, and none was touched; or one cannot be read or written.
        """
        for table, found in [(table, self._found(table)) for table in TABLES.values()]:
            self._create(table, found)

    def create(self, table: Table) -> None:
        """Make one table where it is missing, bring it up to date where it is old."""
        self._create(table, self._found(table))

    def _create(self, table: Table, found: DeltaTable | None) -> None:
        """No table feature beyond reader version 1: Athena must read every table."""
        try:
            if found:
                bring_up_to_date(found, table)
                return
            DeltaTable.create(
                self.uri(table),
                table.schema,
                mode="ignore",
                partition_by=list(table.partition_by) or None,
                name=table.name,
                description=table.meaning,
                configuration=properties_of(table),
                storage_options=self.storage.delta_options(),
                raise_if_key_not_exists=False,
            )
        except (DeltaError, OSError) as error:
            done = "brought up to date" if found else "made"
            raise SinkError(f"{self.uri(table)}: cannot be {done}: {error}", "check the path and your rights on it") from None


def live_files(table: DeltaTable) -> list[LiveFile]:
    """The data files of the table's version, in the order of its log, which a compaction goes by."""
    actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return [
        LiveFile(
            unquote(action["path"]),  # encoded in the log, where a compaction named the folder after an app's id
            {name: str(value) for name, value in _under("partition.", action)},
            action["size_bytes"],
            dict(_under("min.", action)),
            dict(_under("max.", action)),
            action["num_records"],
        )
        for action in actions
    ]


def _under(prefix: str, action: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name.removeprefix(prefix), value) for name, value in action.items() if name.startswith(prefix))


def committed(table: DeltaTable, stream_id: str, batch_id: int) -> bool:
    """Whether this micro-batch is in the table already."""
    version = table.transaction_version(stream_id)
    return version is not None and version >= batch_id


def sink_for(config: Config) -> Sink:
    """The tables that a configuration names."""
    return Sink(config.sink.uri, Storage(config.s3.endpoint, config.s3.region))


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
