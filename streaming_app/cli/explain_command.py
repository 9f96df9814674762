"""``clickstream explain``: what each stage does to one request."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from streaming_app.cli import terminal
from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption
from streaming_app.cli.query_commands import format_cell
from streaming_app.cli.terminal import say_json
from streaming_app.commands.explain import ExplainedEvent, Explanation, explain_request, read_request
from streaming_app.environment import open_lake
from streaming_app.model.client_text import escape
from streaming_app.plugins.load_config import load_config


def explain(
    request: str,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    line: Annotated[int | None, Parameter(help="which line of a raw file, from 1 (quarantine's source_line)")] = None,
    json: Annotated[bool, Parameter(negative="", help="print one JSON object")] = False,
) -> None:
    """Show what each stage makes of one request: its events, each enricher's additions, where they would be stored.

    REQUEST is a file with one request as JSON, or a raw file (gzip too) of which --line picks one. Nothing is written.

    Example: clickstream explain raw/year=2026/month=11/day=22/hour=10/1.gz --line 17
    """
    checked = load_config(config)
    storage = open_lake(checked).storage
    text, number = read_request(request, line, checked.limits.max_line_bytes, storage)
    explanation = explain_request(text, checked, storage, request, number)
    if json:
        say_json(explanation)
    else:
        _show(explanation, terminal.console(soft_wrap=True, highlight=False))


def _show(explanation: Explanation, console: Console) -> None:
    _show_values("request", explanation.request, console)
    console.print(f"transformer: {explanation.transformer or 'none for this app'}", style="bold")
    for number, event in enumerate(explanation.events, 1):
        _show_event(number, event, console)
    for change in explanation.changes:
        console.print()
        _show_values("change", change, console)
    for refused in explanation.refused:
        position = "" if refused.position is None else f" element {refused.position}"
        console.print(f"\n[bold]quarantine[/bold]{position}: {refused.reason} ({refused.stage}):", end=" ")
        console.print(escape(refused.message), markup=False)
    if explanation.duplicates:
        console.print(f"\n{explanation.duplicates} duplicates of events in the same request are dropped")
    for name, error in explanation.failures.items():
        console.print(f"\n[bold red]{name} failed[/bold red]:", end=" ")
        console.print(escape(error), markup=False)


def _show_event(number: int, event: ExplainedEvent, console: Console) -> None:
    console.print()
    _show_values(f"event {number}", event.transformed, console)
    for name, additions in event.enriched.items():
        _show_values(f"  {name} {'adds' if additions else 'adds nothing'}", additions, console)
    _show_values("  lands in", event.lands, console)


def _show_values(title: str, values: dict[str, Any], console: Console) -> None:
    console.print(f"{title}{':' if values else ''}", style="bold", markup=False)
    for name, value in values.items():
        console.print(f"    {name:<42}{format_cell(value)}", markup=False)
