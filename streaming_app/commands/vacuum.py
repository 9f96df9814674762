"""``vacuum``: deletes what neither the tables nor their readers need any more.

A run that writes holds the lock, as this command does: so no file is being written that is not committed yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streaming_app.backlog.derive_log import derive_is_behind, versions_to_read
from streaming_app.backlog.file_log import has_unfinished_batch
from streaming_app.commands.interrupted import HARMLESS, find_interrupted
from streaming_app.commands.operation import Operation, operation
from streaming_app.config.model import Config
from streaming_app.errors import ConfigError, SinkError
from streaming_app.lake.lake import Lake
from streaming_app.lake.layout import RETENTION_DAYS
from streaming_app.lake.maintenance import ExpiredFiles, delete_expired, find_expired
from streaming_app.metrics.progress import Progress
from streaming_app.model.tables import TABLES
from streaming_app.storage.any_objects import AnyObjects
from streaming_app.storage.uris import absolute

RETENTION_HOURS = RETENTION_DAYS * 24


def plan(config: Config, lake: Lake, retention_hours: int) -> list[ExpiredFiles]:
    """The files that may be deleted now, table by table.

    Raises:
        SinkError: a table is not there.
    """
    needed = versions_to_read(config, _objects(config))
    found = (find_expired(lake, table, retention_hours, needed.get(table.name)) for table in TABLES.values())
    return [expired for expired in found if expired]


def check_safe(config: Config, lake: Lake, retention_hours: int) -> None:
    """Refuse a vacuum that could delete what a reader, a run or a command still needs.

    Raises:
        ConfigError: the retention is too short.
        SinkError: an interrupted run or command has to be completed first.
    """
    if retention_hours < RETENTION_HOURS:
        raise ConfigError(
            f"--retention-hours {retention_hours}: files that a query is reading, or that an interrupted run goes on with, "
            f"may be deleted if they are not kept for {RETENTION_HOURS} hours",
            "--force, if nothing reads or writes these tables now",
        )
    for unfinished, remedy in _find_unfinished_work(config, lake):
        raise SinkError(
            f"{unfinished} was interrupted and may need what would be deleted when it goes on", f"{remedy}; or --force"
        )


def run(config: Config, retention_hours: int, progress: Progress) -> dict[str, Any]:
    """Delete the files of the plan; returns counts: files and bytes of data, entries of logs.

    Raises:
        LockError: another process writes to these tables.
        SinkError: something cannot be deleted; repeat it.
    """
    with operation(config, "vacuum", {"retention_hours": retention_hours}) as this:
        this.result = {"files": 0, "bytes": 0, "log_entries": 0}
        expired = plan(config, this.lake, retention_hours)
        progress.expect(sum(each.bytes for each in expired))
        for each in expired:
            _delete(this, each, retention_hours, progress)
        return this.result


def _delete(this: Operation, expired: ExpiredFiles, retention_hours: int, progress: Progress) -> None:
    data, log = len(expired.data), len(expired.log)
    progress.step(f"{expired.table.name}: {data:,} files, {log:,} log entries, {expired.bytes / 1e6:,.1f} MB")
    delete_expired(this.lake, expired, retention_hours)
    this.count("files", data)
    this.count("bytes", expired.bytes)
    this.count("log_entries", log)
    progress.advance(expired.bytes)


def _find_unfinished_work(config: Config, lake: Lake) -> Iterator[tuple[str, str]]:
    """Interrupted work that has to be completed, and the remedy."""
    objects = _objects(config)
    windows = objects.list_directory(absolute(config.checkpoint_uri("ingest")))
    if any(has_unfinished_batch(objects, each.uri) for each in windows) or derive_is_behind(config, objects):
        yield "a run", "run the job first: clickstream run"
    for each in find_interrupted(lake):
        if each.operation not in HARMLESS:
            yield f"{each}:", "repeat that command first"


def _objects(config: Config) -> AnyObjects:
    return AnyObjects(config.s3.endpoint, config.s3.region)
