"""Duplicates between a reprocessed raw file and another raw file: as in ingest, one of them stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from streaming_app.config.model import Config
from streaming_app.ingest.commit.changes import row_keys
from streaming_app.ingest.commit.deduplicate import Rules, find_duplicates, read_keys
from streaming_app.ingest.commit.duplicate_days import DuplicateDays, LeftOut
from streaming_app.ingest.commit.task_runner import TaskRunner
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake
from streaming_app.lake.rows import RowMask
from streaming_app.model.tables import Table

PartitionValues = tuple[str, ...]


@dataclass
class LostDuplicates:
    """Duplicates that are removed: the positions of their rows by file path, and their users.

    ``keys`` are their event ids and source positions (raw file and line), by app, which items have as well.
    """

    rows: dict[str, set[int]] = field(default_factory=dict)
    users: set[tuple[str, str]] = field(default_factory=set)
    keys: dict[str, pa.Array] = field(default_factory=dict)
    partitions: set[PartitionValues] = field(default_factory=set)
    left_out: LeftOut = field(default_factory=dict)
    """Days of duplicates that are stored on another day, to be remembered."""

    def mask(self, file: DataFile) -> RowMask:
        mask = np.zeros(file.rows, bool)
        mask[sorted(self.rows[file.path])] = True
        return mask

    def count_in(self, files: Iterable[DataFile]) -> int:
        """The number of these rows in some files."""
        return sum(len(self.rows.get(file.path, ())) for file in files)


def find_lost_duplicates(
    table: Table, made: Sequence[DataFile], kept: Sequence[DataFile], config: Config, lake: Lake, runner: TaskRunner
) -> LostDuplicates:
    """Compare the rows ``made`` by the shadow with those of other raw files that are ``kept``, by the rule of ingest.

    Of one and the same request in two raw files, ingest prefers the stored copy to the new one; here that is the shadow's,
    so that raw files that were moved can be reprocessed.
    """
    lost, partitions = LostDuplicates(), {file.path: partition_of(table, file) for file in (*made, *kept)}
    left_out = DuplicateDays(config, lake.storage, table)
    rules = Rules(config.dedupe.neighbour_days, prefer_new=True)
    report = find_duplicates(lake, table, made, lambda *_: kept, left_out, rules, runner)
    keys: dict[str, list[pa.Array]] = defaultdict(list)
    for each in (*report.new, *report.stored):
        app_id = each.file.app_id
        rows = read_keys(lake, table, each, ["user_pseudo_id"])
        lost.rows.setdefault(each.file.path, set()).update(each.rows.tolist())
        lost.users |= {(app_id, user) for user in rows["user_pseudo_id"].to_pylist() if user is not None}
        lost.partitions.add(partitions[each.file.path])
        keys[app_id] += row_keys(rows["event_id"], rows["source_position"]).chunks
    lost.keys = {app_id: pa.concat_arrays(parts) for app_id, parts in keys.items()}
    lost.left_out = report.left_out
    return lost


def partition_of(table: Table, file: DataFile) -> PartitionValues:
    return tuple(file.partition[name] for name in table.partition_by)
