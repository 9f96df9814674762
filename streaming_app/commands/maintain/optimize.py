"""``optimize``: the many small files that hourly runs leave become few, partition by partition, each in a commit of its own.

The rows stay the same, and the commits say so: a stream that reads the table, such as derive, is shown nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from streaming_app.commands.maintain.compaction import Compaction, due, target_of, writer_properties
from streaming_app.commands.operation import Operation, operation
from streaming_app.config.model import Config
from streaming_app.errors import SinkError
from streaming_app.lake.lake import Lake, live_files
from streaming_app.metrics.step_progress import Steps
from streaming_app.model.tables import Table

_TASKS = 2
"""Files that are written at a time: each takes some 400 MB of memory."""


def planned(lake: Lake, tables: Iterable[Table]) -> list[Compaction]:
    """What is due now.

    Raises:
        SinkError: a table is not there.
    """
    return [each for table in tables for each in due(table, live_files(lake.open(table)), target_of(table))]


def optimize(config: Config, tables: Iterable[Table], steps: Steps) -> dict[str, Any]:
    """Compact what is due; returns counts: partitions, files and bytes before and after.

    Raises:
        LeaseError: another process writes to these tables.
        SinkError: a table cannot be read or written; what was compacted before stays.
    """
    chosen = list(tables)
    with operation(config, "optimize", {"tables": [table.name for table in chosen]}) as this:
        this.result = dict.fromkeys(("partitions", "files_before", "files_after", "bytes_before", "bytes_after"), 0)
        # Merged files are smaller than what they were made of: some may be merged once more.
        while found := planned(this.lake, chosen):
            steps.expect(sum(each.bytes for each in found))
            if not sum([_compact(this, each, steps) for each in found]):
                break  # deltalake sees nothing to merge: so be it
        return this.result


def _compact(this: Operation, each: Compaction, steps: Steps) -> int:
    """Compact one partition; returns how many files fewer it has."""
    steps.begin(f"{each}: {each.files:,} files, {each.bytes / 1e6:,.1f} MB")
    found = _compacted(this.lake.open(each.table), each, this)
    added, removed = (msgspec.json.decode(found[name]) for name in ("filesAdded", "filesRemoved"))
    this.count("partitions", found["partitionsOptimized"])
    for name, number in (
        ("files_before", removed["totalFiles"]),
        ("files_after", added["totalFiles"]),
        ("bytes_before", removed["totalSize"]),
        ("bytes_after", added["totalSize"]),
    ):
        this.count(name, number)
    steps.done(each.bytes)
    return int(removed["totalFiles"] - added["totalFiles"])


def _compacted(table: DeltaTable, each: Compaction, this: Operation) -> dict[str, Any]:
    this.lake.guard()
    try:
        return table.optimize.compact(
            each.filters or None,
            target_size=target_of(each.table),
            max_concurrent_tasks=_TASKS,
            writer_properties=writer_properties(each.table),
        )
    except (DeltaError, OSError) as error:
        raise SinkError(
            f"{table.table_uri}: {each} cannot be compacted: {error}", "what was compacted before stays; repeat it"
        ) from None
