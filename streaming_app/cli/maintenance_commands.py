"""``clickstream optimize`` and ``clickstream vacuum``: what keeps the tables fast and small over the years."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter, validators

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption, DryRunOption, JsonOption
from streaming_app.cli.query_commands import TableName
from streaming_app.cli.results import print_plan, print_result
from streaming_app.cli.terminal import console
from streaming_app.commands import fill as filling
from streaming_app.commands import optimize as optimizing
from streaming_app.commands import vacuum as vacuuming
from streaming_app.environment import open_lake
from streaming_app.lake.compaction import Compaction
from streaming_app.lake.fill import OlderFiles
from streaming_app.lake.maintenance import ExpiredFiles
from streaming_app.metrics.progress import progress_for
from streaming_app.model.tables import TABLES
from streaming_app.plugins.load_config import load_settings


def optimize(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    table: Annotated[tuple[TableName, ...], Parameter(negative="", help="only this table; may be given several times")] = (),
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Merge the many small files of partitions that hourly runs leave into few, and fill columns that are newer than a file; the
    rows stay the same.

    Example: clickstream optimize --table event --dry-run
    """
    loaded = load_settings(config)
    chosen = [TABLES[name] for name in dict.fromkeys(table or TABLES)]
    lake = open_lake(loaded)
    older, plan = filling.plan(lake, chosen), optimizing.plan(lake, chosen)
    if dry_run:
        print_plan([*map(_older_row, older), *map(_compaction_row, plan)], json=json)
        return
    result: dict[str, Any] = {"partitions": 0}
    if older or plan:  # where nothing is due, the lock is not taken and no audit row is written
        with progress_for(console(stderr=True), ()) as progress:
            result = optimizing.run(loaded, chosen, progress)
    print_result(result, json=json, nothing="no partition has enough small files to be worth it")


def _older_row(each: OlderFiles) -> dict[str, Any]:
    return {"table": each.table, "partition": each.partition, "filled_files": len(each.files), "bytes": each.bytes}


def _compaction_row(each: Compaction) -> dict[str, Any]:
    return {
        "table": each.table.name,
        "partition": each.partition,
        "files": each.files,
        "bytes": each.bytes,
        "files_fewer": each.saved,
    }


def vacuum(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    retention_hours: Annotated[
        int, Parameter(help="keep what a version of so many hours needs", validator=validators.Number(gte=0))
    ] = vacuuming.RETENTION_HOURS,
    force: Annotated[bool, Parameter(negative="", help="delete even what may still be needed")] = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Delete files that no version of the last 7 days needs, what killed runs left behind, and expired entries of the log.

    Example: clickstream vacuum --dry-run
    """
    loaded = load_settings(config)
    lake = open_lake(loaded)
    if not force:
        vacuuming.check_safe(loaded, lake, retention_hours)
    plan = vacuuming.plan(loaded, lake, retention_hours)
    if dry_run:
        print_plan([_expired_row(each) for each in plan], json=json)
        return
    result: dict[str, Any] = {"files": 0, "bytes": 0, "log_entries": 0}
    if plan:
        with progress_for(console(stderr=True), ()) as progress:
            result = vacuuming.run(loaded, retention_hours, progress)
    print_result(result, json=json, nothing="nothing to delete")


def _expired_row(each: ExpiredFiles) -> dict[str, Any]:
    return {"table": each.table.name, "files": len(each.data), "bytes": each.bytes, "log_entries": len(each.log)}
