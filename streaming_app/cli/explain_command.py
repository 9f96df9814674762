"""``clickstream explain``: what each stage does to one request."""

from __future__ import annotations

import json as json_text
from contextlib import suppress
from typing import Annotated, Any

import pyarrow as pa
from cyclopts import Parameter
from rich.console import Console

from streaming_app.cli import terminal
from streaming_app.cli.look_commands import cell
from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption
from streaming_app.cli.terminal import say_json
from streaming_app.commands.explain import Explained, Explanation
from streaming_app.commands.explain import explain as explain_line
from streaming_app.environment import open_lake
from streaming_app.errors import SourceError
from streaming_app.ingest.read.decompress import BrokenFile, blocks_of
from streaming_app.ingest.read.lines import BadPart, LineReader
from streaming_app.ingest.read.open_raw import explain_unreadable, open_raw
from streaming_app.model.client_text import escape
from streaming_app.plugins.load_config import load_config
from streaming_app.storage.files import Storage


def explain(
    request: str,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    line: Annotated[int | None, Parameter(help="which line of a raw file, from 1 (quarantine's source_line)")] = None,
    json: Annotated[bool, Parameter(negative="", help="print one JSON object")] = False,
) -> None:
    """Show what each stage makes of one request: its events, each enricher's additions, where they would land.

    REQUEST is a file with one request as JSON, or a raw file (gzip too) of which --line picks one. Nothing is written.

    Example: clickstream explain raw/year=2026/month=11/day=22/hour=10/1.gz --line 17
    """
    checked = load_config(config)
    storage = open_lake(checked).storage
    text, number = _request_text(request, line, checked.limits.max_line_bytes, storage)
    explanation = explain_line(text, checked, storage, request, number)
    if json:
        say_json(explanation)
    else:
        _show(explanation, terminal.console(soft_wrap=True, highlight=False))


def _request_text(uri: str, number: int | None, max_bytes: int, storage: Storage) -> tuple[bytes, int]:
    """The request and its line; a file that is one JSON object over many lines is taken as a whole."""
    if number is None:
        whole = _whole(uri, max_bytes, storage)
        if _is_object(whole):
            return whole, 1
    for found, part in LineReader(storage, uri, max_bytes):
        if number in (None, found):
            if isinstance(part, BadPart):
                raise SourceError(f"{uri}: {part.message}", "the job would quarantine it as " + part.reason)
            return part, found
    raise SourceError(f"{uri} has no line {number or 1}", "lines count from 1, blank ones too")


def _whole(uri: str, max_bytes: int, storage: Storage) -> bytes:
    """The content, unpacked in memory alone; no more of it than a line may have."""
    blocks: list[bytes] = []
    try:
        with open_raw(storage, uri) as raw, suppress(BrokenFile):
            size = 0
            for block in blocks_of(raw):
                blocks.append(block)
                size += len(block)
                if size > max_bytes:
                    break
    except (OSError, pa.ArrowInvalid, UnicodeError) as error:
        why = explain_unreadable(storage, uri, error) or error
        raise SourceError(f"{uri}: cannot be read: {why}", "give a file with one request as JSON") from None
    return b"".join(blocks)


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(json_text.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _show(explanation: Explanation, console: Console) -> None:
    _show_values("request", explanation.request, console)
    console.print(f"transformer: {explanation.transformer or 'none serves this app'}", style="bold")
    for number, event in enumerate(explanation.events, 1):
        _show_event(number, event, console)
    for change in explanation.changes:
        console.print()
        _show_values("change", change, console)
    for refused in explanation.refused:
        place = "" if refused.position is None else f" element {refused.position}"
        console.print(f"\n[bold]quarantine[/bold]{place}: {refused.reason} ({refused.stage}):", end=" ")
        console.print(escape(refused.message), markup=False)
    if explanation.duplicates:
        console.print(f"\n{explanation.duplicates} copies of events in the same request are left out")
    for name, error in explanation.failures.items():
        console.print(f"\n[bold red]{name} failed[/bold red]:", end=" ")
        console.print(escape(error), markup=False)


def _show_event(number: int, event: Explained, console: Console) -> None:
    console.print()
    _show_values(f"event {number}", event.transformed, console)
    for name, additions in event.enriched.items():
        _show_values(f"  {name} {'adds' if additions else 'adds nothing'}", additions, console)
    _show_values("  lands in", event.lands, console)


def _show_values(title: str, values: dict[str, Any], console: Console) -> None:
    console.print(f"{title}{':' if values else ''}", style="bold", markup=False)
    for name, value in values.items():
        console.print(f"    {name:<42}{cell(value)}", markup=False)
