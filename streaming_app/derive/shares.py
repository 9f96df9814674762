"""Shares of the users of an app: what one task merges, since a user's rows must be computed by one task.

A share is a bucket of users (:mod:`streaming_app.lake.buckets`) with the files of ``user`` and ``session`` that may have their
rows. Few users of an app are one share, many are divided into more. Small shares are merged one after another by one task.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.lake.buckets import ALL_IDS, Bucket, bucket_of, remainders
from streaming_app.lake.files import DataFile
from streaming_app.lake.hashes import stable_hashes
from streaming_app.lake.upsert import is_shared
from streaming_app.model.times import DAY_MS

MAX_SHARES = 1_024
"""Maximum number of shares of an app, a power of two."""


@dataclass(frozen=True)
class Share:
    """The users of an app that are in one bucket, and the files that may have their rows."""

    app_id: str
    bucket: Bucket = ALL_IDS
    users: list[DataFile] = field(default_factory=list)
    sessions: list[DataFile] = field(default_factory=list)

    @property
    def has_shared_files(self) -> bool:
        """Whether a file is rewritten by several shares, each its own users, so that it must be rewritten by all of them."""
        return any(is_shared(file, self.bucket) for file in (*self.users, *self.sessions))


@dataclass(frozen=True)
class Router:
    """Finds the share of a user. ``apps`` maps an app to the number of its first share, and how many it has."""

    apps: Mapping[str, tuple[int, int]]

    def divide(self, rows: pa.Table) -> Iterator[tuple[int, pa.Table]]:
        """Divide rows by share; yields the number of each share that has some, and these."""
        for app_id in pc.unique(rows["app_id"]).to_pylist():
            first, count = self.apps[app_id]
            of_app = rows.filter(pc.equal(rows["app_id"], app_id))
            if count == 1:
                yield first, of_app
                continue
            numbers = remainders(stable_hashes(of_app["user_pseudo_id"]), count)
            for number in np.unique(numbers).tolist():
                yield first + number, of_app.filter(pa.array(numbers == number))

    def share_of(self, app_id: str, user_pseudo_id: str) -> int:
        """The number of a user's share."""
        first, count = self.apps[app_id]
        return first + int(remainders(stable_hashes(pa.chunked_array([[user_pseudo_id]])), count)[0])


def plan_shares(counts: Mapping[str, int], users: Iterable[DataFile], sessions: Iterable[DataFile]) -> tuple[list[Share], Router]:
    """The shares of some apps, whose number for each app is a power of two; ``users`` and ``sessions`` are all files that may
    have rows of these apps' users."""
    stored: dict[str, tuple[list[DataFile], list[DataFile]]] = {app_id: ([], []) for app_id in counts}
    for of_table, files in enumerate((users, sessions)):
        for file in files:
            if file.app_id in stored:
                stored[file.app_id][of_table].append(file)
    shares: list[Share] = []
    first: dict[str, tuple[int, int]] = {}
    for app_id, count in counts.items():
        first[app_id] = len(shares), count
        buckets = [Bucket(count, number) for number in range(count)]
        shares += [Share(app_id, bucket, *(_overlapping(files, bucket) for files in stored[app_id])) for bucket in buckets]
    return shares, Router(first)


def _overlapping(files: Iterable[DataFile], bucket: Bucket) -> list[DataFile]:
    return [file for file in files if bucket_of(file).overlaps(bucket)]


def count_for(wanted: float) -> int:
    """The number of shares of an app: a power of two that is not less than wanted."""
    count = 1
    while count < min(wanted, MAX_SHARES):
        count *= 2
    return count


def group_shares(shares: Sequence[Share], most: int) -> list[list[int]]:
    """Group shares by the task that merges them, as numbers: those of divided apps have a task each, all others at most
    ``most``."""
    divided = [[number] for number, share in enumerate(shares) if share.bucket.modulus > 1]
    small = [number for number, share in enumerate(shares) if share.bucket.modulus == 1]
    return divided + [group for start in range(most) if (group := small[start::most])]


def files_near(files: Iterable[DataFile], days: Iterable[date], distance_ms: int) -> list[DataFile]:
    """The files of ``session`` with a session that is no further than ``distance_ms`` from one of some days, by the statistics in
    the log."""
    ranges: list[tuple[float, float]] = []
    for day in sorted(set(days)):
        start = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1_000
        low, high = start - distance_ms, start + DAY_MS + distance_ms
        if ranges and low <= ranges[-1][1]:
            ranges[-1] = ranges[-1][0], high
        else:
            ranges.append((low, high))
    return [file for file in files if any(is_within(file, low, high) for low, high in ranges)]


def is_within(file: DataFile, earliest_ms: float, latest_ms: float) -> bool:
    """Whether a file may have sessions of a period, by the time range in its statistics in the log."""
    ends, begins = file.max_values.get("session_end"), file.min_values.get("event_timestamp")
    return (ends is None or _epoch_ms(ends) >= earliest_ms) and (begins is None or _epoch_ms(begins) <= latest_ms)


def _epoch_ms(statistic: datetime) -> float:
    """A time from the statistics in a table's log, which is UTC, as epoch ms."""
    return statistic.replace(tzinfo=UTC).timestamp() * 1_000
