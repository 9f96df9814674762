"""Copies of one event of which a reprocessed raw file has one and another raw file the other: as in ingest, one stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.config.model import Config
from streaming_app.ingest.commit.dedupe import DataFile, Losers, judge
from streaming_app.ingest.commit.duplicate_days import DuplicateDays, LeftOut
from streaming_app.ingest.commit.hashes import Mask
from streaming_app.lake.files import AnyFile
from streaming_app.lake.lake import Lake
from streaming_app.model.tables import Table

PartitionValues = tuple[str, ...]


@dataclass
class LostDuplicates:
    """Copies that do not stay: by their file's path the positions of their rows, and whose they are.

    ``copies`` are their event ids and places (raw file and line), by app: what items know them by.
    """

    rows: dict[str, set[int]] = field(default_factory=dict)
    users: set[tuple[str, str]] = field(default_factory=set)
    copies: dict[str, pa.Array] = field(default_factory=dict)
    partitions: set[PartitionValues] = field(default_factory=set)
    left_out: LeftOut = field(default_factory=dict)
    """Days of copies that are stored on another day, to be remembered."""

    def mask(self, file: AnyFile) -> Mask:
        mask = np.zeros(file.rows, bool)
        mask[sorted(self.rows[file.path])] = True
        return mask

    def count_in(self, files: Iterable[AnyFile]) -> int:
        """How many rows of some files."""
        return sum(len(self.rows.get(file.path, ())) for file in files)


def find_lost_duplicates(
    table: Table, made: Sequence[AnyFile], kept: Sequence[AnyFile], config: Config, lake: Lake
) -> LostDuplicates:
    """Compare the rows ``made`` by the shadow with those of other raw files that are ``kept``, by the rule of ingest.

    Of one and the same request in two raw files, ingest prefers the stored copy to the new one; here that is the shadow's,
    so that raw files that were moved can be reprocessed.
    """
    lost, partitions = LostDuplicates(), {file.path: partition_of(table, file) for file in (*made, *kept)}
    verdict = judge(
        _data_files(made, table, lake, is_new=False),
        _data_files(kept, table, lake, is_new=True),
        DuplicateDays(config, lake.storage, table),
        config.dedupe.neighbour_days,
        lake.storage,
    )
    copies: dict[str, list[pa.Array]] = defaultdict(list)
    for losers in (*verdict.new, *verdict.stored):
        app_id = losers.file.app_id
        lost.rows.setdefault(losers.file.path, set()).update(losers.rows["row"].to_pylist())
        lost.users |= {(app_id, user) for user in losers.rows["user_pseudo_id"].to_pylist() if user is not None}
        lost.partitions.add(partitions[losers.file.path])
        copies[app_id] += _names(losers).chunks
    lost.copies = {app_id: pa.concat_arrays(parts) for app_id, parts in copies.items()}
    lost.left_out = verdict.left_out
    return lost


def partition_of(table: Table, file: AnyFile) -> PartitionValues:
    return tuple(file.partition[name] for name in table.partition_by)


def _data_files(files: Iterable[AnyFile], table: Table, lake: Lake, *, is_new: bool) -> list[DataFile]:
    return [DataFile(lake.uri(table), file.path, file.partition["app_id"], file.day, is_new) for file in files]


def _names(losers: Losers) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(losers.rows["event_id"], losers.rows["place"], "\n")
