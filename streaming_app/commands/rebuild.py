"""``rebuild``: computes all of ``user`` or ``session`` from ``event`` and ``change``, and replaces the table in one commit."""

from __future__ import annotations

from typing import Any

from streaming_app.commands.operation import operation
from streaming_app.config.model import Config
from streaming_app.derive.rebuild import Rebuild
from streaming_app.derive.stream import derive
from streaming_app.environment import open_lake
from streaming_app.lake.lake import live_files
from streaming_app.metrics.progress import Progress
from streaming_app.metrics.summary import Summary
from streaming_app.model.tables import EVENT, SESSION, USER
from streaming_app.spark.session import get_session

PHASES = ("start", "derive", "rebuild")
TABLES = {table.name: table for table in (USER, SESSION)}


def plan(config: Config) -> dict[str, int]:
    """Files, events and bytes that would be read; nothing is written."""
    files = live_files(open_lake(config).open(EVENT))
    return {"files": len(files), "events": sum(file.rows for file in files), "bytes": sum(file.size for file in files)}


def run(config: Config, names: tuple[str, ...], progress: Progress) -> dict[str, Any]:
    """Rebuild the named tables.

    Raises:
        LockError: another process writes to these tables.
    """
    progress.phase("start")
    with operation(config, "rebuild", {"tables": list(names)}) as this:
        spark = get_session(config, this.lake.storage)
        progress.phase("derive")
        derive(spark, config, this.lake, Summary(this.job_id))  # what it has not seen would be counted twice later
        progress.phase("rebuild")
        done = Rebuild(config, this.lake, this.job_id, tables=[TABLES[name] for name in names]).run()
        for name, change in ((USER.name, done.user), (SESSION.name, done.session)):
            if name in names:
                this.result[name] = sum(file.rows for file in change.added)
        if aside := {(each.app_id, each.id) for each in done.failed}:
            this.count("set_aside", len(aside))
    return this.result
