"""Days of raw files or of events, in UTC."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from streaming_app.backlog.source_partitions import Date, dated_folders
from streaming_app.config.model import Config
from streaming_app.errors import ConfigError, SourceError
from streaming_app.storage.objects import ObjectInfo, Objects
from streaming_app.storage.uris import absolute


@dataclass(frozen=True)
class Days:
    """A range of days, both ends included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ConfigError(f"--from {self.first} is after --to {self.last}", "give the earlier day first")

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1))

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    @property
    def span_ms(self) -> tuple[int, int]:
        """From the beginning of the first to the end of the last, epoch ms."""
        first, after = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (self.first, self.last + timedelta(days=1)))
        return int(first.timestamp() * 1_000), int(after.timestamp() * 1_000) - 1

    def widen(self, before: int, after: int) -> Days:
        return Days(self.first - timedelta(days=before), self.last + timedelta(days=after))

    def may_hold(self, folder: Date) -> bool:
        """Whether a year=, month= or day= folder can hold files of these days."""
        first, last = (tuple(f"{day:%Y-%m-%d}".split("-"))[: len(folder)] for day in (self.first, self.last))
        return first <= folder <= last


CLOCK_DAYS = 1
"""Days by which the server may have received an event before its own time: clocks that run ahead, and midnight."""


def received_days(config: Config, days: Days) -> Days:
    """The days on which the server can have received events of some days, or duplicates that are compared with them."""
    near = config.dedupe.neighbour_days + CLOCK_DAYS
    return days.widen(near, math.ceil(config.rules.freshness_hours / 24) + near)


def find_raw_folders(config: Config, days: Days, objects: Objects) -> tuple[list[ObjectInfo], list[ObjectInfo]]:
    """Find the folders of the raw files that the server received on some days, and the files in no folder of a day.

    Raises:
        SourceError: no raw file lies in such a folder, nor beside them.
    """
    root = absolute(config.source.uri)
    dated, strays = dated_folders(root, "day", objects, days.may_hold)
    folders = [folder for name in sorted(dated) for folder in dated[name]]
    if not folders and not strays:
        raise SourceError(
            f"{root}: there is no folder year=/month=/day= of {days}, nor anything outside such folders",
            "look at what there is under source.uri; --from and --to are days in UTC on which the server received requests",
        )
    return folders, strays
