"""``clickstream optimize`` and ``clickstream vacuum``: what keeps the tables fast and small over the years."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter, validators
from rich.console import Console

from streaming_app.cli.look_commands import TableName
from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption
from streaming_app.config.load import load_config
from streaming_app.model.tables import TABLES
from streaming_app.operations import optimize as optimizing
from streaming_app.operations import vacuum as vacuuming
from streaming_app.operations.compaction import Compaction
from streaming_app.operations.expired import Expired
from streaming_app.operations.steps import steps_on
from streaming_app.tables.delta import sink_for

DryRunOption = Annotated[bool, Parameter(negative="", help="show what would be done, do nothing")]
JsonOption = Annotated[bool, Parameter(negative="", help="one JSON line")]


def optimize(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    table: Annotated[tuple[TableName, ...], Parameter(negative="", help="only this table; may be given several times")] = (),
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Merge the many small files of partitions that hourly runs leave into few; the rows stay the same.

    Example: clickstream optimize --table event --dry-run
    """
    loaded = load_config(config)
    chosen = [TABLES[name] for name in dict.fromkeys(table or TABLES)]
    plan = optimizing.planned(sink_for(loaded), chosen)
    if dry_run:
        _show_plan([_compaction(each) for each in plan], json=json)
        return
    result: dict[str, Any] = {"partitions": 0}
    if plan:  # where nothing is due, nobody is kept waiting and no audit row is left
        with steps_on(Console(stderr=True)) as steps:
            result = optimizing.optimize(loaded, chosen, steps)
    _show_result(result, "no partition has enough small files to be worth it", json=json)


def _compaction(each: Compaction) -> dict[str, Any]:
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
    force: Annotated[bool, Parameter(negative="", help="though something may still need what is deleted")] = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Delete files that no version of the last 7 days needs, what killed runs left behind, and expired entries of the log.

    Example: clickstream vacuum --dry-run
    """
    loaded = load_config(config)
    sink = sink_for(loaded)
    if not force:
        vacuuming.check(loaded, sink, retention_hours)
    plan = vacuuming.planned(loaded, sink, retention_hours)
    if dry_run:
        _show_plan([_expired(each) for each in plan], json=json)
        return
    result: dict[str, Any] = {"files": 0, "bytes": 0, "log_entries": 0}
    if plan:
        with steps_on(Console(stderr=True)) as steps:
            result = vacuuming.vacuum(loaded, retention_hours, steps)
    _show_result(result, "nothing to delete", json=json)


def _expired(each: Expired) -> dict[str, Any]:
    return {"table": each.table.name, "files": len(each.data), "bytes": each.bytes, "log_entries": len(each.log)}


def _show_plan(plan: Sequence[dict[str, Any]], *, json: bool) -> None:
    if json:
        print(msgspec.json.encode({"plan": plan}).decode())
        return
    for each in plan:
        print(_in_words(each))
    print("nothing was done: --dry-run" if plan else "nothing to do")


def _show_result(result: dict[str, Any], nothing: str, *, json: bool) -> None:
    if json:
        print(msgspec.json.encode(result).decode())
    else:
        print(_in_words(result) if any(result.values()) else nothing)


def _in_words(values: dict[str, Any]) -> str:
    """Names and values in one line."""
    return ", ".join(_shown(name, value) for name, value in values.items() if value not in ({}, None))


def _shown(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={each}" for key, each in value.items())
    if name.startswith("bytes"):
        return f"{name.replace('bytes', 'size').replace('_', ' ')} {value / 1e6:,.1f} MB"
    return f"{name.replace('_', ' ')} {value:,}" if isinstance(value, int) else str(value)
