"""Writing to the terminal or a pipe. No other module does, so that all output goes through :func:`escape`."""

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
    """Print a text for people, of one or more lines, to standard output."""
    print(escape(text, lines=True), flush=flush)


def say_json(value: Any, *, flush: bool = False) -> None:
    """Print a value as one line of JSON."""
    say_json_text(msgspec.json.encode(value).decode(), flush=flush)


def say_json_text(text: str, *, flush: bool = False) -> None:
    """JSON to standard output, escaped by JSON's own escapes, so that it stays exact."""
    print(escape_json(text), flush=flush)


def console(**settings: Any) -> Console:
    """A console of rich that escapes all control characters but its own, such as colours.

    A text that is laid out (in a cell of a grid) is escaped before that, so that its width is right.
    """
    opened = Console(**settings)
    opened.push_render_hook(_Escaping())
    return opened


class EscapingFormatter(logging.Formatter):
    """Formats log lines: a message is one line, a traceback has its own lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        return escape(super().formatMessage(record))

    def formatException(self, ei: SysExcInfo) -> str:  # noqa: N802 - the name is logging's
        return escape(super().formatException(ei), lines=True)


class _Escaping(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Escaped(each) for each in renderables]


class _Escaped:
    """A renderable whose text is escaped after its layout."""

    def __init__(self, shown: ConsoleRenderable) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        segments: Iterable[Segment] = console.render(self._shown, options)
        for text, style, control in segments:
            yield Segment(text if control else escape(text, lines=True), style, control)
