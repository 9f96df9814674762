"""Filling files of older layouts in Spark's tasks. Only imported where it is more than one task's work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from streaming_app.commands.operation import Operation
from streaming_app.lake.files import DataFile
from streaming_app.lake.fill import OlderFiles, write_filled
from streaming_app.lake.lake import Lake
from streaming_app.spark.session import get_session
from streaming_app.spark.tasks import SizedFile, parallelism, run_tasks

_PARTS_PER_CORE = 4
"""Parts that each of Spark's cores writes between two rounds of commits: what a kill may cost."""


@dataclass(frozen=True, slots=True)
class _Part(SizedFile):
    """What a task fills; ``uri`` is its number in the round."""

    older: OlderFiles


def fill_in_tasks(this: Operation, due: Sequence[OlderFiles]) -> Iterator[tuple[OlderFiles, list[DataFile]]]:
    """Write the parts round by round; yields each with the files to be committed in its place."""
    spark = get_session(this.config, this.lake.storage)
    step = _PARTS_PER_CORE * parallelism(spark)
    for first in range(0, len(due), step):
        parts = {str(number): each for number, each in enumerate(due[first : first + step])}
        groups = [[_Part(number, each.bytes, each)] for number, each in parts.items()]
        for message in run_tasks(spark, groups, partial(_write, this.lake.for_workers)):
            number, filled = msgspec.msgpack.decode(message, type=tuple[str, list[DataFile]])
            yield parts[number], filled


def _write(lake: Lake, group: list[_Part]) -> Iterator[bytes]:
    for each in group:
        yield msgspec.msgpack.encode((each.uri, write_filled(lake, each.older)))
