"""Finds suspects: new and stored rows whose id has the hash of a new row's id, by the index files of ids and no row.

The search is divided into ranges of hashes, each complete in itself, since all rows of an event have one hash. A range can be
searched in any task.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np

from streaming_app.ingest.commit.duplicate_days import DuplicateDays
from streaming_app.ingest.commit.hashes import HashLookup, duplicates_in_sorted, isin_sorted
from streaming_app.lake.hashes import IdHashes
from streaming_app.lake.id_index import HashRange, IdIndex, IdsInRange, RowIndexes
from streaming_app.lake.lake import Lake
from streaming_app.model.tables import TABLES
from streaming_app.storage.side_by_side import map_side_by_side


class IdFile(NamedTuple):
    """A data file whose ids are searched; ``number`` is its number in the driver."""

    number: int
    path: str
    rows: int


class Search(NamedTuple):
    """One range of the hashes of an app; ``stored`` are its stored files of ``days``."""

    app_id: str
    part: HashRange
    new: list[IdFile]
    stored: list[IdFile]
    days: AbstractSet[date]

    @property
    def seconds(self) -> float:
        """The CPU-seconds that it takes, about."""
        files = [*self.new, *self.stored]
        return len(files) * SECONDS_PER_FILE + sum(file.rows for file in files) * SECONDS_PER_HASH / self.part.of


SECONDS_PER_HASH = 1e-8
SECONDS_PER_FILE = 2e-4


class Link(NamedTuple):
    """A duplicate of a new event, by its hash, that was left out on a day."""

    hash: int
    day: date


class Suspects(msgspec.Struct):
    """What a search has found."""

    app_id: str
    part: HashRange
    rows: dict[int, bytes] = msgspec.field(default_factory=dict)
    """Indexes of rows (uint32) by the number of their file."""
    links: list[Link] = msgspec.field(default_factory=list)
    missing_days: frozenset[date] = frozenset()
    """Days that links lead to, whose stored files the search did not have: it has to be repeated with these."""


def search_in_task(
    lake: Lake, table: str, left_out: DuplicateDays, neighbour_days: int, searches: Iterable[Search]
) -> Iterator[bytes]:
    """Run some searches; yields one message of :class:`Suspects` each."""
    index = IdIndex(lake.uri(TABLES[table]), lake.storage)
    for search in searches:
        yield msgspec.msgpack.encode(find_suspects(search, index, left_out, neighbour_days))


def find_suspects(search: Search, index: IdIndex, left_out: DuplicateDays, neighbour_days: int) -> Suspects:
    """Find the suspects of a range."""
    suspects = Suspects(search.app_id, search.part)
    # 1. Read the hashes of the new rows.
    new = list(map_side_by_side(partial(_read, index, search.part), search.new))
    known = np.sort(np.concatenate([ids.hashes for ids in new]))
    # 2. Follow the links to days on which duplicates of them were left out before.
    suspects.links, days = _follow_links(search, known, left_out, neighbour_days)
    if not days <= search.days:
        return Suspects(search.app_id, search.part, missing_days=frozenset(days - search.days))
    # 3. Look up the stored rows among them.
    lookup = HashLookup(known)
    repeated = [duplicates_in_sorted(known)]
    for file, (hashes, rows) in zip(
        search.stored, map_side_by_side(partial(_look_up, index, search.part, lookup), search.stored), strict=True
    ):
        if len(rows):
            repeated.append(hashes)
            suspects.rows[file.number] = rows.astype("<u4").tobytes()
    # 4. Find the new rows of these hashes, and of those that are repeated among the new rows.
    again = np.unique(np.concatenate(repeated))
    for file, ids in zip(search.new, new, strict=True):
        positions = np.flatnonzero(isin_sorted(ids.hashes, again))
        if len(positions):
            suspects.rows[file.number] = index.rows_at(file.path, ids, positions).astype("<u4").tobytes()
    return suspects


def _read(index: IdIndex, part: HashRange, file: IdFile) -> IdsInRange:
    return index.read(file.path, file.rows, part)


def _look_up(index: IdIndex, part: HashRange, lookup: HashLookup, file: IdFile) -> tuple[IdHashes, RowIndexes]:
    """The hashes of a stored file that are known, and their rows."""
    ids = index.read(file.path, file.rows, part)
    positions = lookup.positions_in(ids.hashes)
    if not len(positions):
        return np.empty(0, np.uint64), np.empty(0, np.uint32)
    return ids.hashes[positions], index.rows_at(file.path, ids, positions)


def _follow_links(search: Search, known: IdHashes, left_out: DuplicateDays, neighbour_days: int) -> tuple[list[Link], set[date]]:
    """The links of the new rows, and the days of the search with all days that these lead to."""
    links: list[Link] = []
    days, seen = set(search.days), set[date]()
    while unseen := days - seen:
        seen |= unseen
        for day in sorted(unseen):
            of_day = left_out.on(day, search.app_id)
            found = of_day[search.part.slice_of(of_day)]
            linked = found[isin_sorted(found, known)]
            if len(linked):
                links += [Link(hashed, day) for hashed in linked.tolist()]
                days |= days_around(day, neighbour_days)
    return links, days


def days_around(day: date, days: int) -> set[date]:
    """A day and its neighbours."""
    return {day + timedelta(days=shift) for shift in range(-days, days + 1)}
