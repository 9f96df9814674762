"""The first step of ``optimize``: files of older table layouts get the columns that came later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from streaming_app.commands.operation import Operation
from streaming_app.lake.files import DataFile
from streaming_app.lake.fill import OlderFiles, exchange_filled, find_older_files, write_filled
from streaming_app.lake.lake import Lake
from streaming_app.metrics.progress import Progress
from streaming_app.model.tables import Table

ONE_TASK_BYTES = 64 << 20
"""Stored bytes up to which no Spark session is started."""


def plan(lake: Lake, tables: Iterable[Table]) -> list[OlderFiles]:
    """Files of older layouts, by the commits that exchange them.

    Raises:
        SinkError: a table is not there.
    """
    return [each for table in tables for each in find_older_files(lake, table)]


def run(this: Operation, tables: Iterable[Table], progress: Progress) -> None:
    """Fill the files, with a commit for each part; in Spark's tasks where it is more than one task's work."""
    due = plan(this.lake, tables)
    progress.expect(sum(each.bytes for each in due))
    for older, filled in _write(this, due):
        progress.step(f"{older}: {len(older.files):,} files, {older.bytes / 1e6:,.1f} MB")
        exchange_filled(this.lake, older, filled)
        this.count("filled_files", len(older.files))
        progress.advance(older.bytes)


def _write(this: Operation, due: Sequence[OlderFiles]) -> Iterator[tuple[OlderFiles, list[DataFile]]]:
    if sum(each.bytes for each in due) <= ONE_TASK_BYTES:
        return ((each, write_filled(this.lake, each)) for each in due)
    from streaming_app.commands.fill_tasks import fill_in_tasks  # noqa: PLC0415 - PySpark takes half a second

    return fill_in_tasks(this, due)
