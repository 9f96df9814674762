"""Versions of the table layout: newer code migrates older tables, older code refuses newer ones.

How tables become those of the newest version is in :mod:`.migrate`; how rows of older files are completed, in :mod:`.older_rows`.
"""

from __future__ import annotations

from deltalake import DeltaTable

from streaming_app.errors import SinkError
from streaming_app.model.tables import Table

LAYOUT_VERSION = 3
"""1: the first. 2: quarantine.resolved_*, run_metrics of latency and files, the table operation, no ids of users in the log.
3: event_date and the columns of the lineage in event, item and change; merge_state in user and session, in place of a column for
each of its fields; ingest_date in quarantine and run_metrics."""
LAYOUT_KEY = "clickstream.formatVersion"

RETENTION_DAYS = 7
"""Days for which replaced files are kept at least: readers that started before may still need them."""


def properties_of(table: Table) -> dict[str, str]:
    """Properties of a Delta table."""
    return {
        "delta.dataSkippingStatsColumns": ",".join(table.stats_columns),
        # The log is read at every start: a checkpoint every 10 commits keeps that short.
        "delta.checkpointInterval": "10",
        "delta.deletedFileRetentionDuration": f"interval {RETENTION_DAYS} days",
        LAYOUT_KEY: str(LAYOUT_VERSION),
    }


def layout_of(table: DeltaTable) -> int:
    """The layout version of a table."""
    return int(table.metadata().configuration.get(LAYOUT_KEY, "1"))


def check_readable(table: DeltaTable) -> None:
    """Check that this code can read and write the layout of a table.

    Raises:
        SinkError: its layout is newer than this code's.
    """
    found = layout_of(table)
    if found > LAYOUT_VERSION:
        raise SinkError(
            f"{table.table_uri}: has layout {found}, this version of clickstream-lake knows {LAYOUT_VERSION}",
            "install the version that wrote it, or a newer one; nothing was touched",
        )
