"""Printing the plan or the result of a command, for people or as one JSON line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from streaming_app.cli.terminal import console, say, say_json
from streaming_app.metrics.progress import Progress, progress_for

CommandResult = Mapping[str, Any]
T = TypeVar("T")


def run_with_progress(phases: tuple[str, ...], work: Callable[[Progress], T]) -> T:
    """Run a command whose progress is shown on stderr."""
    with progress_for(console(stderr=True), phases) as progress:
        return work(progress)


def print_result(result: CommandResult, *, json: bool, nothing: str = "") -> None:
    """Print counts by name; for people, the text ``nothing`` where all are zero."""
    if json:
        say_json(result)
    else:
        say(nothing if nothing and not any(result.values()) else _format_result(result))


def print_plan(plan: Sequence[CommandResult], *, json: bool) -> None:
    """Print what would be done, a line each."""
    if json:
        say_json({"plan": plan})
        return
    for each in plan:
        say(_format_result(each))
    say("nothing was done: --dry-run" if plan else "nothing to do")


def _format_result(result: CommandResult) -> str:
    return ", ".join(_format_value(name, value) for name, value in result.items() if value not in ({}, [], None))


def _format_value(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    if isinstance(value, dict):
        return f"{words} " + " ".join(f"{key}={each}" for key, each in value.items())
    if isinstance(value, bool):
        return f"{words}: {'yes' if value else 'no'}"
    if isinstance(value, list):
        return f"{words}: " + "; ".join(map(str, value))
    if name.startswith("bytes"):
        return f"{words.replace('bytes', 'size')} {value / 1e6:,.1f} MB"
    return f"{words} {value:,}" if isinstance(value, int) else f"{words} {value}"
