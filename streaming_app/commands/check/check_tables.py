"""All checks of the tables, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from inspect import getdoc

import pyarrow as pa

from streaming_app.commands.check.check_context import CheckContext, TableNote, TableProblem
from streaming_app.commands.check.count_checks import balance, stored_rows
from streaming_app.commands.check.derived_checks import known_users, rebuilt_sample
from streaming_app.commands.check.key_checks import unique_keys
from streaming_app.commands.check.log_checks import files, layouts, older_files, operations
from streaming_app.commands.check.set_aside_checks import set_aside
from streaming_app.config.model import Config
from streaming_app.environment import open_lake
from streaming_app.errors import ClickstreamError
from streaming_app.lake.query import snapshot
from streaming_app.metrics.progress import Progress

TableCheck = Callable[[CheckContext], Iterable[TableProblem]]

CHECKS: tuple[TableCheck, ...] = (
    files,
    older_files,
    operations,
    set_aside,
    balance,
    stored_rows,
    unique_keys,
    known_users,
    rebuilt_sample,
)
"""The quick ones first; their docstrings are what they promise."""


@dataclass(frozen=True)
class CheckResult:
    """The result of one check. ``promise``: what holds where there are no problems."""

    name: str
    promise: str
    problems: list[TableProblem]
    notes: list[TableProblem] = field(default_factory=list)


def check_tables(config: Config, sample: int, progress: Progress) -> Iterator[CheckResult]:
    """Run all checks; where tables are missing, or not in this version's layout, only that is reported."""
    progress.expect(len(CHECKS) + 1)
    lake = open_lake(config)
    progress.step(layouts.__name__)
    result = CheckResult(layouts.__name__, _promise(layouts), list(layouts(lake)))
    progress.advance(1)
    yield result
    if result.problems:
        return
    context = CheckContext(config, lake, snapshot(lake), sample)
    for check in CHECKS:
        name = getattr(check, "__name__", "")
        progress.step(name)
        found = list(_run_check(check, context))
        notes: list[TableProblem] = [each for each in found if isinstance(each, TableNote)]
        yield CheckResult(name, _promise(check), [each for each in found if not isinstance(each, TableNote)], notes)
        progress.advance(1)


def _promise(check: Callable[..., object]) -> str:
    return (getdoc(check) or "").replace("``", "")


def _run_check(check: TableCheck, context: CheckContext) -> Iterator[TableProblem]:
    """The problems that a check finds; a file that it cannot read is one more."""
    try:
        yield from check(context)
    except (ClickstreamError, OSError, pa.ArrowException) as error:
        first_line = str(error).partition("\n")[0]
        yield TableProblem("", f"could not be checked: {first_line}", "fix the other problems, then check again")
