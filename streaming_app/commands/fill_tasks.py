"""Filling files of older layouts in Spark's tasks. Only imported where it is more than one task's work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import msgspec

from streaming_app.commands.operation import Operation
from streaming_app.lake.files import DataFile
from streaming_app.lake.fill import OlderFiles, write_filled
from streaming_app.lake.lake import Lake
from streaming_app.spark.session import get_session
from streaming_app.spark.tasks import parallelism, run_tasks

_PARTS_PER_CORE = 4
"""Parts that each of Spark's cores writes between two rounds of commits: what a kill may cost."""


def fill_in_tasks(this: Operation, due: Sequence[OlderFiles]) -> Iterator[tuple[OlderFiles, list[DataFile]]]:
    """Write the parts round by round; yields each with the files to be committed in its place."""
    spark = get_session(this.config, this.lake.storage)
    step = _PARTS_PER_CORE * parallelism(spark)
    for first in range(0, len(due), step):
        parts = due[first : first + step]
        for message in run_tasks(spark, list(enumerate(parts)), partial(_write, this.lake.for_workers)):
            number, filled = msgspec.msgpack.decode(message, type=tuple[int, list[DataFile]])
            yield parts[number], filled


def _write(lake: Lake, part: tuple[int, OlderFiles]) -> Iterator[bytes]:
    number, older = part
    yield msgspec.msgpack.encode((number, write_filled(lake, older)))
