"""All checks of the tables, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from inspect import getdoc

import pyarrow as pa

from streaming_app.commands.check.count_checks import balance, stored_rows
from streaming_app.commands.check.derived_checks import known_users, rebuilt_sample
from streaming_app.commands.check.facts import Facts, Note, Problem
from streaming_app.commands.check.key_checks import unique_keys
from streaming_app.commands.check.log_checks import files, layouts, operations
from streaming_app.commands.check.set_aside_checks import set_aside
from streaming_app.config.model import Config
from streaming_app.environment import open_lake
from streaming_app.errors import ClickstreamError
from streaming_app.lake.query import snapshot
from streaming_app.metrics.step_progress import Steps

Check = Callable[[Facts], Iterable[Problem]]

CHECKS: tuple[Check, ...] = (files, operations, set_aside, balance, stored_rows, unique_keys, known_users, rebuilt_sample)
"""What is looked at, the quick ones first; their docstrings are what they promise."""


@dataclass(frozen=True)
class Checked:
    """A check that was made."""

    name: str
    promise: str
    problems: list[Problem]
    notes: list[Problem] = field(default_factory=list)


def check_tables(config: Config, sample: int, steps: Steps) -> Iterator[Checked]:
    """Make all checks; of tables that are not there, or not in this version's layout, nothing else is asked."""
    steps.expect(len(CHECKS) + 1)
    lake = open_lake(config)
    steps.begin(layouts.__name__)
    found = Checked(layouts.__name__, _promise(layouts), list(layouts(lake)))
    steps.done(1)
    yield found
    if found.problems:
        return
    facts = Facts(config, lake, snapshot(lake), sample)
    for check in CHECKS:
        name = getattr(check, "__name__", "")
        steps.begin(name)
        told = list(_made(check, facts))
        notes: list[Problem] = [each for each in told if isinstance(each, Note)]
        yield Checked(name, _promise(check), [each for each in told if not isinstance(each, Note)], notes)
        steps.done(1)


def _promise(check: Callable[..., object]) -> str:
    return (getdoc(check) or "").replace("``", "")


def _made(check: Check, facts: Facts) -> Iterator[Problem]:
    """The problems that a check finds; a file that it cannot read is one more."""
    try:
        yield from check(facts)
    except (ClickstreamError, OSError, pa.ArrowException) as error:
        first_line = str(error).partition("\n")[0]
        yield Problem("", f"could not be looked at: {first_line}", "mend what else is reported, then check again")
