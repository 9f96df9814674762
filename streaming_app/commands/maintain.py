"""``maintain``: what keeps the tables fast, small and sound, in one command for a schedule of its own.

1. Each table with many small files is compacted.
2. Once a week, files that nothing needs any more are deleted.
3. All tables are checked.
4. The report is written beside the tables.

Between two steps the lock is free, and raw files that arrived meanwhile are processed, so that no data wait for the whole night's
work. A step that fails does not keep the others from being done; the result says so, and has the exit code of the first failure.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from streaming_app import pipeline
from streaming_app.commands import optimize, vacuum
from streaming_app.commands.check.check_tables import check_tables
from streaming_app.config.model import Config
from streaming_app.environment import open_lake
from streaming_app.errors import BalanceError, ClickstreamError
from streaming_app.lake.lake import Lake
from streaming_app.lake.query import dataset, snapshot
from streaming_app.metrics.progress import LogProgress, Progress
from streaming_app.model.tables import EVENT, OPERATION, TABLES

log = logging.getLogger("clickstream")

VACUUM_EVERY = timedelta(days=6, hours=12)
"""A week, less what one night may begin earlier than another."""

CHECKED_USERS = 100
"""Users whose rows are computed again by the check."""

WriteReport = Callable[[Config, str], None]
"""Writes the report of now to a URI."""


@dataclass(frozen=True)
class Step:
    """``work`` returns what was done, as counts and texts by name."""

    name: str
    work: Callable[[Progress], dict[str, Any]]


@dataclass
class MaintenanceResult:
    """What each step did, in their order."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    first_failure: ClickstreamError | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"succeeded": self.first_failure is None, "steps": self.steps}


def plan(config: Config, write_report: WriteReport | None) -> list[Step]:
    """The steps that are due now.

    Args:
        config: The pipeline.
        write_report: None leaves the report out.

    Raises:
        SinkError: there are no tables.
    """
    lake = open_lake(config)
    steps = [_compaction_of(config, name) for name in TABLES if optimize.plan(lake, [TABLES[name]])]
    if is_vacuum_due(lake, datetime.now(UTC)):
        steps.append(Step("vacuum", lambda progress: _vacuum(config, progress)))
    steps.append(Step("check", lambda progress: _check(config, progress)))
    if write_report:
        steps.append(Step("report", lambda _: _report(config, write_report)))
    return steps


def run(config: Config, steps: list[Step], progress: Progress, job_id: str | None = None) -> MaintenanceResult:
    """Do the steps of the plan, and process new raw files between them."""
    result = MaintenanceResult()
    for number, step in enumerate(steps):
        if number:
            _do(result, Step("run", lambda _: _process_new_files(config, job_id)), progress, only_if_done=True)
        _do(result, step, progress)
    return result


def is_vacuum_due(lake: Lake, now: datetime) -> bool:
    """Whether the last vacuum that ended well is a week ago, or there was none."""
    files = snapshot(lake, (EVENT, OPERATION))[OPERATION.name]
    rows = dataset(lake, OPERATION, files).to_table(columns=["operation", "status", "created_time"]).to_pylist()
    ended = [row["created_time"] for row in rows if (row["operation"], row["status"]) == ("vacuum", "done")]
    return not ended or now - max(ended) >= VACUUM_EVERY


def report_uri(config: Config, now: datetime) -> str:
    """Where the report of a night is: beside the tables, a file a day."""
    return f"{config.sink.uri.rstrip('/')}/_reports/{now:%Y-%m-%d}.html"


def _do(result: MaintenanceResult, step: Step, progress: Progress, *, only_if_done: bool = False) -> None:
    """One step, whose failure is noted; ``only_if_done`` leaves out one that did nothing."""
    began = time.monotonic()
    entry: dict[str, Any] = {"step": step.name}
    try:
        done = step.work(progress)
        entry |= done
        if only_if_done and not done:
            return
    except ClickstreamError as error:
        log.warning("%s: %s", step.name, error)
        entry |= {"error": str(error), "remedy": error.hint}
        result.first_failure = result.first_failure or error
    result.steps.append(entry | {"seconds": round(time.monotonic() - began, 1)})


def _compaction_of(config: Config, name: str) -> Step:
    return Step(f"optimize {name}", lambda progress: optimize.run(config, [TABLES[name]], progress))


def _vacuum(config: Config, progress: Progress) -> dict[str, Any]:
    vacuum.check_safe(config, open_lake(config), vacuum.RETENTION_HOURS)
    return vacuum.run(config, vacuum.RETENTION_HOURS, progress)


def _check(config: Config, progress: Progress) -> dict[str, Any]:
    problems = list(_problems(config, progress))
    if problems:
        raise BalanceError(f"{len(problems):,} problems: {'; '.join(problems)}", "clickstream tables check says what to do")
    return {"problems": 0}


def _problems(config: Config, progress: Progress) -> Iterator[str]:
    for checked in check_tables(config, CHECKED_USERS, progress):
        for problem in checked.problems:
            yield f"{checked.name}: {problem.table + ': ' if problem.table else ''}{problem.message}"


def _report(config: Config, write_report: WriteReport) -> dict[str, Any]:
    uri = report_uri(config, datetime.now(UTC))
    write_report(config, uri)
    return {"written": uri}


def _process_new_files(config: Config, job_id: str | None) -> dict[str, Any]:
    counts = pipeline.run(config, LogProgress(), job_id).counts
    return {"files": counts.files, "written": counts.written} if counts.files else {}
