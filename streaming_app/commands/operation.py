"""What every command shares: it holds the lock, migrates the tables, writes audit rows, and can resume where it was killed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa

from streaming_app import __version__
from streaming_app.config.model import Config
from streaming_app.environment import lock_lake
from streaming_app.errors import ClickstreamError
from streaming_app.ingest.commit.recovery import roll_back_incomplete_batch
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.lock.holder import actor
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.model.client_text import cut
from streaming_app.model.event import LONG
from streaming_app.model.tables import CHANGE, EVENT, OPERATION
from streaming_app.spark.required_classes import require_submitted_classes
from streaming_app.storage.files import Storage


@dataclass
class Operation:
    """A running command; ``result`` is what it did so far, counts by name."""

    name: str
    config: Config
    lake: Lake
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def job_id(self) -> str:
        """The job id of the rows that it writes."""
        return f"{self.name}-{self.id[:12]}"

    def count(self, name: str, number: int = 1) -> None:
        self.result[name] = self.result.get(name, 0) + number


@contextmanager
def operation(config: Config, name: str, arguments: dict[str, Any]) -> Iterator[Operation]:
    """Run the block as an operation: rows of the table ``operation`` record its start and its end.

    Raises:
        LockError: another process writes to these tables; there is no row then.
        MissingDependencyError: spark-submit brought no Delta.
    """
    require_submitted_classes()
    with lock_lake(config, name) as lake:
        roll_back_incomplete_batch(config, lake)
        lake.create_all()
        this = Operation(name, config, lake)
        _write_audit_row(this, "started", arguments)
        try:
            yield this
        except BaseException as error:
            with suppress(ClickstreamError, OSError):  # what went wrong matters more than the row about it
                _write_audit_row(this, "failed", arguments, f"{type(error).__name__}: {error}")
            raise
        _write_audit_row(this, "done", arguments)


def _write_audit_row(this: Operation, status: str, arguments: dict[str, Any], message: str | None = None) -> None:
    row = {
        "operation_id": this.id,
        "operation": this.name,
        "status": status,
        "created_time": datetime.now(UTC),
        "arguments": _json(arguments),
        "result": _json(this.result),
        "message": message and cut(message, LONG),
        "stored": stored_rows(this.lake),
        "actor": actor(),
        "version": __version__,
    }
    writer = PartitionWriter(OPERATION, this.lake.uri(OPERATION), this.lake.storage, f"{this.name}-{status}")
    writer.add(pa.Table.from_pylist([row], schema=OPERATION.schema))
    commit(this.lake, OPERATION, TableChange(writer.close(), [], []), TransactionId(f"{this.id}-{status}", 0))


def stored_rows(lake: Lake) -> int:
    """Rows of ``event`` and ``change``, from the statistics in their logs."""
    return sum(file.rows for table in (EVENT, CHANGE) for file in live_files(lake.open(table)))


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


@contextmanager
def resume_directory(config: Config, name: str, storage: Storage) -> Iterator[str]:
    """The folder ``_checkpoints/<name>``, in which a command keeps its progress so that, after a kill, it can resume there.

    It is as the last attempt left it, and is deleted when the block has ended without an error. A marker file says that it is
    complete: an interrupted deletion is continued, not taken for an earlier attempt's progress.
    """
    folder = config.checkpoint_uri(name)
    marker = f"{folder}.done"
    if storage.exists(marker):
        _clear(folder, marker, storage)
    yield folder
    storage.write_text(marker, "")
    _clear(folder, marker, storage)


def _clear(folder: str, marker: str, storage: Storage) -> None:
    storage.delete_folder(folder)
    storage.delete(marker)
