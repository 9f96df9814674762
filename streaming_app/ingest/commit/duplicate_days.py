"""The days on which duplicates were received of events that are stored on another day.

Duplicates of an event are a chain of neighbouring days, of which only the first row is stored. To link a later duplicate to the
same chain whatever the order of arrival, the days of the duplicates that were left out are stored here: eight bytes each, in one
small file per batch and day. A file is written before its batch is committed. If the batch never is, the file does no harm: the
duplicate was received all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec
import numpy as np

from streaming_app.config.model import Config
from streaming_app.lake.hashes import IdHashes
from streaming_app.model.tables import Table
from streaming_app.storage.files import Storage

ByApp = dict[str, IdHashes]
"""App id to hashes of event ids, in ascending order."""


@dataclass
class DuplicateDays:
    """The stored days of a table (``event`` or ``change``); each day is read once."""

    config: Config
    storage: Storage
    table: Table
    _known: dict[date, ByApp] = field(default_factory=dict, init=False)
    _folders: set[str] | None = field(default=None, init=False)

    def on(self, day: date, app_id: str) -> IdHashes:
        """Hashes of the events of an app of which a duplicate of that day was left out, in ascending order."""
        if day not in self._known:
            self._known[day] = self._read(day)
        return self._known[day].get(app_id, np.empty(0, np.uint64))

    def _read(self, day: date) -> ByApp:
        if self._folders is None:  # listed once: most days have no file
            self._folders = {uri.rpartition("/")[2] for uri in self.storage.list_folders(_root(self.config, self.table))}
        found: dict[str, list[int]] = {}
        for uri in self.storage.list_files(f"{_root(self.config, self.table)}/{day}") if str(day) in self._folders else ():
            for app_id, hashes in msgspec.json.decode(self.storage.read_text(uri), type=dict[str, list[int]]).items():
                found.setdefault(app_id, []).extend(hashes)
        return {app_id: np.unique(np.array(hashes, np.uint64)) for app_id, hashes in found.items()}


LeftOut = dict[date, dict[str, list[int]]]
"""Day and app of duplicates that were left out though no row of that day is stored, to hashes of their event ids."""


def remember_days(config: Config, storage: Storage, table: Table, name: str, left_out: LeftOut) -> None:
    """Store the days of duplicates; ``name`` is the batch's, the same when it is tried again."""
    for day, by_app in left_out.items():
        sorted_by_app: dict[str, Any] = {app_id: sorted(set(hashes)) for app_id, hashes in sorted(by_app.items())}
        storage.write_text(f"{_root(config, table)}/{day}/{name}.json", msgspec.json.encode(sorted_by_app).decode())


def join_days(config: Config, other: Config, storage: Storage, table: Table) -> None:
    """Copy the days of another pipeline whose rows are moved into these tables."""
    for folder in storage.list_folders(_root(other, table)):
        for uri in storage.list_files(folder):
            day, name = uri.rsplit("/", 2)[1:]
            storage.write_text(f"{_root(config, table)}/{day}/{name}", storage.read_text(uri))


def _root(config: Config, table: Table) -> str:
    return config.checkpoint_uri(f"duplicate_days/{table.name}")
