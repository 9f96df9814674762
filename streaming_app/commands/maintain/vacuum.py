"""``vacuum``: deletes what neither the tables nor their readers need any more.

A run that writes holds the lease, as this command does: so no file is being written that is not committed yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deltalake.exceptions import DeltaError

from streaming_app.backlog.derive_log import derive_is_behind, versions_to_read
from streaming_app.backlog.file_log import has_unfinished_batch
from streaming_app.commands.interrupted import HARMLESS, interrupted
from streaming_app.commands.maintain.expired import Expired, delete, expired
from streaming_app.commands.operation import Operation, operation
from streaming_app.config.model import Config
from streaming_app.errors import ConfigError, SinkError
from streaming_app.lake.lake import Lake
from streaming_app.lake.layout import RETENTION_DAYS
from streaming_app.metrics.step_progress import Steps
from streaming_app.model.tables import TABLES
from streaming_app.storage.any_objects import AnyObjects
from streaming_app.storage.uris import absolute

RETENTION_HOURS = RETENTION_DAYS * 24


def planned(config: Config, lake: Lake, retention_hours: int) -> list[Expired]:
    """What is to go now, table by table.

    Raises:
        SinkError: a table is not there.
    """
    needed = versions_to_read(config, _objects(config))
    found = (expired(lake, table, retention_hours, needed.get(table.name)) for table in TABLES.values())
    return [each for each in found if each]


def check(config: Config, lake: Lake, retention_hours: int) -> None:
    """Refuse what would take something away that is needed.

    Raises:
        ConfigError: the retention is too short.
        SinkError: a run or a command has to go on where it was interrupted.
    """
    if retention_hours < RETENTION_HOURS:
        raise ConfigError(
            f"--retention-hours {retention_hours}: files that a query is reading, or that an interrupted run goes on with, "
            f"may be deleted if they are not kept for {RETENTION_HOURS} hours",
            "--force, if nothing reads or writes these tables now",
        )
    for work, remedy in _unfinished(config, lake):
        raise SinkError(f"{work} was interrupted and may need what would be deleted when it goes on", f"{remedy}; or --force")


def vacuum(config: Config, retention_hours: int, steps: Steps) -> dict[str, Any]:
    """Delete what is to go; returns counts: files and bytes of data, entries of logs.

    Raises:
        LeaseError: another process writes to these tables.
        SinkError: something cannot be deleted; repeat it.
    """
    with operation(config, "vacuum", {"retention_hours": retention_hours}) as this:
        this.result = {"files": 0, "bytes": 0, "log_entries": 0}
        found = planned(config, this.lake, retention_hours)
        steps.expect(sum(each.bytes for each in found))
        for each in found:
            _delete(this, each, retention_hours, steps)
        return this.result


def _delete(this: Operation, each: Expired, retention_hours: int, steps: Steps) -> None:
    steps.begin(f"{each.table.name}: {len(each.data):,} files, {len(each.log):,} log entries, {each.bytes / 1e6:,.1f} MB")
    this.lake.guard()
    try:
        delete(this.lake.open(each.table), each, retention_hours)
    except (DeltaError, OSError) as error:
        raise SinkError(
            f"{this.lake.uri(each.table)}: cannot be cleaned: {error}", "check your right to delete there; repeat it"
        ) from None
    this.count("files", len(each.data))
    this.count("bytes", each.bytes)
    this.count("log_entries", len(each.log))
    steps.done(each.bytes)


def _unfinished(config: Config, lake: Lake) -> Iterator[tuple[str, str]]:
    """What has to go on, and how."""
    objects = _objects(config)
    windows = objects.children(absolute(config.checkpoint_uri("ingest")))
    if any(has_unfinished_batch(objects, each.uri) for each in windows) or derive_is_behind(config, objects):
        yield "a run", "run the job first: clickstream run"
    for each in interrupted(lake):
        if each.operation not in HARMLESS:
            yield f"{each}:", "repeat that command first"


def _objects(config: Config) -> AnyObjects:
    return AnyObjects(config.s3.endpoint, config.s3.region)
