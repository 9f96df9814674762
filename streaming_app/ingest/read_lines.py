"""The lines of one raw file, gzip or plain, in bounded memory whatever the file holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from streaming_app.errors import Reason
from streaming_app.ingest.decompress import BrokenFile, blocks_of
from streaming_app.storage import Storage

_SHOWN_OF_A_LONG_LINE = 4_096


@dataclass(slots=True)
class BadPart:
    """A part of a file that is no line to be parsed: why, and what it starts with."""

    reason: Reason
    message: str
    raw: bytes = b""


Line = tuple[int, bytes | BadPart]


@dataclass(slots=True)
class LineReader:
    """Iterates over ``(number, line)``, numbers from 1; blank lines are passed over.

    A line longer than ``max_line_bytes`` and a file that cannot be read (to its end) come as :class:`BadPart`. Errors of
    the storage that say nothing about the file itself (throttling, a lost connection) are raised: Spark retries the task.
    """

    storage: Storage
    uri: str
    max_line_bytes: int
    bytes_read: int = 0
    _line: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[Line]:
        try:
            system, path = self.storage.filesystem(self.uri)
            with system.open_input_stream(path, compression=None) as raw:
                yield from self._lines(self._counted(blocks_of(raw)))
        except (FileNotFoundError, PermissionError) as error:
            yield 0, BadPart(Reason.MALFORMED_LINE, f"file cannot be opened: {error}")

    def _counted(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self.bytes_read += len(block)
            yield block

    def _lines(self, blocks: Iterator[bytes]) -> Iterator[Line]:
        rest, broken = b"", None
        try:
            for block in blocks:
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    yield from self._numbered(line)
                if len(rest) > self.max_line_bytes:
                    too_long, rest = rest, b""
                    yield from self._numbered(too_long)
                    rest = b"".join(_after_this_line(blocks))
        except BrokenFile as error:
            broken = error
        for line in rest.split(b"\n") if rest else ():
            yield from self._numbered(line)
        if broken:
            yield self._line, BadPart(Reason.MALFORMED_LINE, f"file is broken after this line: {broken}")

    def _numbered(self, line: bytes) -> Iterator[Line]:
        self._line += 1
        if len(line) > self.max_line_bytes:
            message = f"line longer than {self.max_line_bytes} bytes"
            yield self._line, BadPart(Reason.TOO_LARGE, message, line[:_SHOWN_OF_A_LONG_LINE])
        elif line and not line.isspace():
            yield self._line, line


def _after_this_line(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Read on to the end of a line that is too long; what follows it in the same block."""
    for block in blocks:
        if b"\n" in block:
            yield block.partition(b"\n")[2]
            return
