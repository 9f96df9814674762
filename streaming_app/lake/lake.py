"""The Delta tables of a pipeline, without the JVM: opens, creates and migrates them, and lists their files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from streaming_app.errors import SinkError
from streaming_app.lake.files import DataFile
from streaming_app.lake.layout import check_readable, properties_of
from streaming_app.model.tables import TABLES, Table
from streaming_app.storage.files import Storage


@dataclass(frozen=True)
class Lake:
    """The tables of one pipeline, below ``root``; ``guard`` raises an error if this process may no longer write to them.

    A table is opened once and moved forward by its log from then on: opening one with 100,000 files takes 0.6 CPU-s.
    """

    root: str
    storage: Storage
    guard: Callable[[], None] = lambda: None
    _opened: dict[str, DeltaTable] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def for_workers(self) -> Lake:
        """The same tables for tasks in other processes, which write files but commit nothing."""
        return Lake(self.root, self.storage)

    def uri(self, table: Table) -> str:
        return f"{self.root.rstrip('/')}/{table.name}"

    def open(self, table: Table) -> DeltaTable:
        """The table at its newest version, to which later calls will move the same object.

        Raises:
            SinkError: it does not exist or cannot be read.
        """
        found = self.find(table)
        if found is None:
            raise SinkError(f"{self.uri(table)}: there is no such table yet", "run the job first: clickstream run")
        return found

    def find(self, table: Table) -> DeltaTable | None:
        """The table at its newest version; None if it does not exist."""
        try:
            found = self._moved_forward(table) or DeltaTable(self.uri(table), storage_options=self.storage.delta_options())
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise SinkError(f"{self.uri(table)}: cannot be read: {error}", "check the path and your rights on it") from None
        check_readable(found)
        self._opened[table.name] = found
        return found

    def _moved_forward(self, table: Table) -> DeltaTable | None:
        """The table at its newest version, if it was opened before and has not been replaced since."""
        known = self._opened.pop(table.name, None)
        try:
            if known is not None:
                known.update_incremental()
        except (DeltaError, OSError):
            return None
        return known

    def create_all(self) -> None:
        """Create missing tables, empty, so that every reader finds all tables from the first run on.

        Tables of an older layout are migrated.

        Raises:
            SinkError: a table has a newer layout, in which case none was changed; or a table cannot be read or written.
        """
        for table, found in [(table, self.find(table)) for table in TABLES.values()]:
            self._create(table, found)

    def create(self, table: Table) -> None:
        """Create one table if it is missing; migrate it if its layout is old."""
        self._create(table, self.find(table))

    def _create(self, table: Table, found: DeltaTable | None) -> None:
        """Create or migrate a table, without any table feature beyond reader version 1, since Athena must read every table."""
        from streaming_app.lake.migrate import migrate  # noqa: PLC0415 - it reads and writes the tables of this module

        try:
            if found:
                migrate(self, table, found)
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
            done = "migrated" if found else "created"
            raise SinkError(f"{self.uri(table)}: cannot be {done}: {error}", "check the path and your rights on it") from None


def live_files(table: DeltaTable, apps: Collection[str] | None = None, days: Collection[date] | None = None) -> list[DataFile]:
    """The data files of the table's version, in the order of its log, which is also the order of compaction.

    Only those of some ``apps`` or ``days``, if given: each file becomes a Python object, which takes 20 CPU-µs.
    """
    actions = pa.table(table.get_add_actions(flatten=True))
    if apps is not None:
        actions = actions.filter(pc.is_in(actions["partition.app_id"], pa.array(list(apps), pa.string())))
    if days is not None:
        year, month, day = (actions[f"partition.{name}"] for name in ("year", "month", "day"))
        numbers = pc.add(pc.multiply(pc.add(pc.multiply(year, 100), month), 100), day)
        wanted = [(each.year * 100 + each.month) * 100 + each.day for each in days]
        actions = actions.filter(pc.is_in(numbers, pa.array(wanted, pa.int32())))
    return [
        DataFile(
            unquote(action["path"]),  # encoded in the log if a compaction named the folder after an app id
            {name: str(value) for name, value in _under("partition.", action)},
            action["size_bytes"],
            action["num_records"],
            min_values=dict(_under("min.", action)),
            max_values=dict(_under("max.", action)),
        )
        for action in actions.to_pylist()
    ]


def stored_bytes(table: DeltaTable) -> int:
    """Size of all data files of the table's version."""
    return int(pc.sum(pa.table(table.get_add_actions())["size_bytes"]).as_py() or 0)


def _under(prefix: str, action: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name.removeprefix(prefix), value) for name, value in action.items() if name.startswith(prefix))
