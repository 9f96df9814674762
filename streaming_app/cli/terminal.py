"""The one place that writes to the terminal, or to the pipe in its place: whatever is shown goes through :func:`escape`."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import msgspec
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

from streaming_app.model.client_text import escape, escape_json

SysExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def say(text: str, *, flush: bool = False) -> None:
    """A text for people, of one or more lines, to standard output."""
    print(escape(text, lines=True), flush=flush)


def say_json(value: Any, *, flush: bool = False) -> None:
    """A value as one line of JSON."""
    say_json_text(msgspec.json.encode(value).decode(), flush=flush)


def say_json_text(text: str, *, flush: bool = False) -> None:
    """JSON: exact, by JSON's own escapes."""
    print(escape_json(text), flush=flush)


def console(**settings: Any) -> Console:
    """A console of rich's, whose own control characters, colours and the like, are all that there are.

    A text that is laid out (in a cell of a grid) is escaped before that, lest it be wider than its place.
    """
    opened = Console(**settings)
    opened.push_render_hook(_Escaping())
    return opened


class EscapingFormatter(logging.Formatter):
    """Of log lines: a message is one line, a traceback has its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        return escape(super().formatMessage(record))

    def formatException(self, ei: SysExcInfo) -> str:  # noqa: N802 - the name is logging's
        return escape(super().formatException(ei), lines=True)


class _Escaping(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Escaped(each) for each in renderables]


class _Escaped:
    """Something to be shown, escaped when it has been laid out."""

    def __init__(self, shown: ConsoleRenderable) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        segments: Iterable[Segment] = console.render(self._shown, options)
        for text, style, control in segments:
            yield Segment(text if control else escape(text, lines=True), style, control)
