"""``optimize``: brings files of older layouts up to date, then merges the many small files that hourly runs leave, partition by
partition, each in a commit of its own.

The rows stay the same, and the commits say so: a stream that reads the table, such as derive, sees no change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from streaming_app.commands import fill
from streaming_app.commands.operation import Operation, operation
from streaming_app.config.model import Config
from streaming_app.lake.compaction import Compaction, CompactionResult, compact, find_compactions
from streaming_app.lake.lake import Lake
from streaming_app.metrics.progress import Progress
from streaming_app.model.tables import Table


def plan(lake: Lake, tables: Iterable[Table]) -> list[Compaction]:
    """The partitions that are due now.

    Raises:
        SinkError: a table is not there.
    """
    return [due for table in tables for due in find_compactions(lake, table)]


def run(config: Config, tables: Iterable[Table], progress: Progress) -> dict[str, Any]:
    """Fill and compact what is due; returns counts: partitions, files and bytes before and after, and files that were filled.

    Raises:
        LockError: another process writes to these tables.
        SinkError: a table cannot be read or written; what was compacted before stays.
    """
    chosen = list(tables)
    with operation(config, "optimize", {"tables": [table.name for table in chosen]}) as this:
        this.result = asdict(CompactionResult(0, 0, 0, 0, 0))
        fill.run(this, chosen, progress)
        # Merged files are smaller than the sum of their parts: some may be merged once more.
        while due := plan(this.lake, chosen):
            progress.expect(sum(each.bytes for each in due))
            if not sum([_compact(this, each, progress) for each in due]):
                break  # nothing became fewer: another round would do the same
        return this.result


def _compact(this: Operation, due: Compaction, progress: Progress) -> int:
    """Compact one partition; returns how many files fewer it has."""
    progress.step(f"{due}: {due.files:,} files, {due.bytes / 1e6:,.1f} MB")
    result = compact(this.lake, due)
    for name, number in asdict(result).items():
        this.count(name, number)
    progress.advance(due.bytes)
    return result.files_before - result.files_after
