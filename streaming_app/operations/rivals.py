"""Copies of one event of which a reprocessed raw file has one and another raw file the other: as in ingest, one stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.dedupe import DataFile, Losers, judge
from streaming_app.ingest.hashes import Mask
from streaming_app.model.tables import Table
from streaming_app.tables.delta import Sink
from streaming_app.tables.files import AnyFile

Partition = tuple[str, ...]


@dataclass
class Lost:
    """Copies that do not stay: by their file's path the positions of their rows, and whose they are.

    ``copies`` are their event ids and places (raw file and line), by app: what items know them by.
    """

    rows: dict[str, set[int]] = field(default_factory=dict)
    users: set[tuple[str, str]] = field(default_factory=set)
    copies: dict[str, pa.Array] = field(default_factory=dict)
    partitions: set[Partition] = field(default_factory=set)

    def mask(self, file: AnyFile) -> Mask:
        mask = np.zeros(file.rows, bool)
        mask[sorted(self.rows[file.path])] = True
        return mask

    def among(self, files: Iterable[AnyFile]) -> int:
        """How many rows of some files."""
        return sum(len(self.rows.get(file.path, ())) for file in files)


def lost_copies(table: Table, made: Sequence[AnyFile], kept: Sequence[AnyFile], neighbour_days: int, sink: Sink) -> Lost:
    """Compare the rows ``made`` by the shadow with those of other raw files that are ``kept``, on the days that ingest compares.

    Of one and the same request in two raw files, ingest prefers the stored copy to the new one; here that is the shadow's,
    so that raw files that were moved can be reprocessed.
    """
    lost, partitions = Lost(), {file.path: partition_of(table, file) for file in (*made, *kept)}
    made_on, kept_on = _by_app_and_day(made), _by_app_and_day(kept)
    copies: dict[str, list[pa.Array]] = defaultdict(list)
    for (app_id, day), files in made_on.items():
        days = (day + timedelta(days=shift) for shift in range(-neighbour_days, neighbour_days + 1))
        near = [file for each in days for file in kept_on.get((app_id, each), ())]
        verdict = judge(_data_files(files, table, sink, is_new=False), _data_files(near, table, sink, is_new=True), sink.storage)
        for losers in (*verdict.new, *verdict.stored):
            lost.rows.setdefault(losers.file.path, set()).update(losers.rows["row"].to_pylist())
            lost.users |= {(app_id, user) for user in losers.rows["user_pseudo_id"].to_pylist() if user is not None}
            lost.partitions.add(partitions[losers.file.path])
            copies[app_id] += _names(losers).chunks
    lost.copies = {app_id: pa.concat_arrays(parts) for app_id, parts in copies.items()}
    return lost


def partition_of(table: Table, file: AnyFile) -> Partition:
    return tuple(file.partition[name] for name in table.partition_by)


def _by_app_and_day(files: Iterable[AnyFile]) -> dict[tuple[str, date], list[AnyFile]]:
    found: dict[tuple[str, date], list[AnyFile]] = defaultdict(list)
    for file in files:
        found[file.partition["app_id"], day_of(file)].append(file)
    return found


def day_of(file: AnyFile) -> date:
    return date(*(int(file.partition[name]) for name in ("year", "month", "day")))


def _data_files(files: Iterable[AnyFile], table: Table, sink: Sink, *, is_new: bool) -> list[DataFile]:
    return [DataFile(sink.uri(table), file.path, file.partition["app_id"], is_new) for file in files]


def _names(losers: Losers) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(losers.rows["event_id"], losers.rows["place"], "\n")
