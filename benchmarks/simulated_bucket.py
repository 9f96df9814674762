"""A bucket after years of raw files, a micro-batch for each hour: no file exists, names are made when they are asked for.

What Spark leaves in the checkpoints was looked up in those of Spark 4.1.1: names, lines, and what its cleaning keeps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice

from streaming_app.storage.objects import ObjectInfo

RAW, CHECKPOINTS = "s3://company-clickstream/raw", "s3://company-clickstream/lake/_checkpoints"
PAGE = 1_000
"""Keys of a page of S3's listing."""
COMPACT_EVERY, BATCHES_KEPT = 10, 20
FILE_BYTES = 200_000

_NAMES = {"month": "%Y-%m", "day": "%Y-%m-%d", "none": "all"}


@dataclass
class Used:
    """What was asked of S3. ``compared``: raw files that were listed; ``entries``: lines of Spark's logs that were read."""

    lists: int = 0
    gets: int = 0
    bytes_read: int = 0
    compared: int = 0
    entries: int = 0


class SimulatedBucket:
    """See :class:`streaming_app.storage.objects.Objects`. Files came from ``first`` to ``last``, of which ``last`` is unread."""

    def __init__(self, by: str, first: date, last: datetime, files_a_day: int) -> None:
        self.used = Used()
        self._a_day = files_a_day
        self._folders: dict[str, dict[str, None]] = defaultdict(dict)  # what is directly in a folder, in order
        self._batches: dict[str, list[str]] = defaultdict(list)  # the hours that a window's stream has read
        at = datetime(first.year, first.month, first.day, tzinfo=UTC)
        while at <= last:
            hour = self._folder_of(at)
            if at < last:
                self._batches[f"{CHECKPOINTS}/ingest/{at.strftime(_NAMES[by])}"].append(hour)
            at += timedelta(hours=1)

    def list_directory(self, folder: str) -> Iterator[ObjectInfo]:
        return self._paged(self._children(folder))

    def files(self, folder: str) -> Iterator[ObjectInfo]:
        for found in self._paged(self._below(folder)):
            self.used.compared += 1
            yield found

    def lines(self, uri: str) -> Iterator[str]:
        self.used.gets += 1
        for line in self._content(uri):
            self.used.bytes_read += len(line) + 1
            self.used.entries += line.startswith('{"path"')
            yield line

    def listings(self, folder: str) -> int:
        """How often S3 is asked by who lists a folder and all below it one by one, as Spark does."""
        return 1 + sum(self.listings(f"{folder}/{name}") for name in self._folders.get(folder, ()))

    def _folder_of(self, at: datetime) -> str:
        """Of an hour; it is put into the tree."""
        folder = RAW
        for name in (f"year={at:%Y}", f"month={at:%m}", f"day={at:%d}", f"hour={at:%H}"):
            self._folders[folder][name] = None
            folder = f"{folder}/{name}"
        return folder

    def _children(self, folder: str) -> Iterator[ObjectInfo]:
        parent, _, name = folder.rpartition("/")
        if folder == f"{CHECKPOINTS}/ingest":
            yield from (ObjectInfo(window, is_folder=True) for window in self._batches)
        elif folder == f"{CHECKPOINTS}/windows":
            yield from (ObjectInfo(f"{folder}/{window.rpartition('/')[2]}") for window in self._batches)
        elif parent in self._batches:  # offsets and commits
            last = len(self._batches[parent]) - 1
            yield from (ObjectInfo(f"{folder}/{number}") for number in range(max(0, last - BATCHES_KEPT), last + 1))
        elif name == "0":
            yield from (ObjectInfo(f"{folder}/{each}") for each in log_names(len(self._batches[parent.removesuffix("/sources")])))
        else:
            yield from (ObjectInfo(f"{folder}/{each}", is_folder=True) for each in self._folders.get(folder, ()))

    def _below(self, folder: str) -> Iterator[ObjectInfo]:
        names = self._folders.get(folder)
        if names is None:
            yield from (ObjectInfo(uri, FILE_BYTES, 1.0) for uri in self._hour(folder))
        else:
            for name in names:
                yield from self._below(f"{folder}/{name}")

    def _hour(self, folder: str) -> Iterator[str]:
        """URIs of the files of an hour; names as long as those of the usual collectors."""
        hour = int(folder[-2:])
        for number in range(hour * self._a_day // 24, (hour + 1) * self._a_day // 24):
            yield f"{folder}/requests-{number:06}-{number * 0x9E3779B97F4A7C15 % 2**64:016x}.gz"

    def _content(self, uri: str) -> Iterator[str]:
        """A file of a checkpoint."""
        window, _, below = uri.removeprefix(f"{CHECKPOINTS}/ingest/").partition("/")
        if below == "set_aside":
            raise FileNotFoundError(f"{uri}: nothing was set aside")
        batches, number = self._batches[f"{CHECKPOINTS}/ingest/{window}"], int(uri.rpartition("/")[2].removesuffix(".compact"))
        yield "v1"
        if below.startswith("offsets/"):
            yield '{"batchWatermarkMs":0,"batchTimestampMs":1795436621660,"conf":{}}'
            yield f'{{"logOffset":{number}}}'
            return
        for batch in range(0 if below.endswith(".compact") else number, number + 1):
            for path in self._hour(batches[batch]):
                yield f'{{"path":"{path}","timestamp":1795436599862,"batchId":{batch}}}'

    def _paged(self, found: Iterator[ObjectInfo]) -> Iterator[ObjectInfo]:
        """A page is held as a client of S3 holds it; an empty folder is a call, too."""
        self.used.lists += 1
        page = list(islice(found, PAGE))
        while page:
            yield from page
            page = list(islice(found, PAGE))
            self.used.lists += bool(page)


def log_names(batches: int) -> list[str]:
    """What Spark has kept of a file source's log after so many batches, an hour between them.

    Source: CompactibleFileStreamLog of Spark 4.1: all from the last compact file on that has 20 batches behind it.
    """
    kept = batches - BATCHES_KEPT
    oldest = max(0, kept - kept % COMPACT_EVERY - 1)
    return [f"{each}.compact" if (each + 1) % COMPACT_EVERY == 0 else f"{each}" for each in range(oldest, batches)]
