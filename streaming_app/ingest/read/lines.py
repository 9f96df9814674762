"""The lines of one raw file, gzip or plain, in bounded memory whatever the file holds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, cast

import pyarrow as pa

from streaming_app.errors import Reason, StorageError
from streaming_app.ingest.read.decompress import BrokenFile, blocks_of
from streaming_app.ingest.read.open_raw import explain_unreadable, open_raw
from streaming_app.model.json_repair import BYTE_ORDER_MARK
from streaming_app.storage.files import Storage

_SHOWN_OF_A_LONG_LINE = 4_096
_PADDING = b"\0"
"""Bytes that are stripped from both ends of a line. Zero bytes are not text: a writer that crashed leaves blocks of them, and a
log that was truncated while its writer went on begins with them."""


@dataclass(slots=True)
class BadPart:
    """A part of a file that cannot be parsed as a line: the reason, and its beginning.

    ``forbidden``: the file cannot be read because a permission is missing.
    """

    reason: Reason
    message: str
    raw: bytes = b""
    forbidden: bool = False


@dataclass(slots=True)
class LongLine:
    """A line that is too long for memory, in a temporary file."""

    file: IO[bytes]


Line = tuple[int, bytes | BadPart]


@dataclass(slots=True)
class LineReader:
    """Iterates over ``(number, line)``, numbers from 1; blank lines are skipped.

    A line longer than ``max_line_bytes`` and a file that cannot be read (to its end) come as :class:`BadPart`;
    :meth:`with_long_lines` has the whole of such a line.

    Raises:
        StorageError: the storage fails for a reason other than the file itself (throttling, a lost connection, expired
            credentials): the task is retried.
    """

    storage: Storage
    uri: str
    max_line_bytes: int
    bytes_read: int = 0
    _line: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[Line]:
        return cast("Iterator[Line]", self._read(keep_long=False))

    def with_long_lines(self) -> Iterator[tuple[int, bytes | BadPart | LongLine]]:
        """The same, except that each line that is too long comes as a :class:`LongLine`."""
        return self._read(keep_long=True)

    def _read(self, *, keep_long: bool) -> Iterator[tuple[int, bytes | BadPart | LongLine]]:
        try:
            with open_raw(self.storage, self.uri) as raw:
                yield from self._lines(self._count_bytes(blocks_of(raw)), keep_long=keep_long)
        except (OSError, pa.ArrowInvalid, UnicodeError) as error:
            unreadable = explain_unreadable(self.storage, self.uri, error)
            if unreadable is None:
                raise StorageError(f"{self.uri}: cannot be read: {error}", "the next run tries it again") from error
            where = "cannot be read after this line" if self._line else "cannot be opened"
            yield self._line, BadPart(Reason.UNREADABLE_FILE, f"file {where}: {unreadable}", b"", unreadable.forbidden)

    def _count_bytes(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self.bytes_read += len(block)
            yield block

    def _lines(self, blocks: Iterator[bytes], *, keep_long: bool) -> Iterator[tuple[int, bytes | BadPart | LongLine]]:
        rest: list[bytes] = []  # the parts of the current line, joined once at its end: a long line may span many blocks
        size, broken = 0, None
        try:
            for block in blocks:
                head, newline, tail = block.rpartition(b"\n")
                if newline:
                    for line in b"".join((*rest, head)).split(b"\n"):
                        yield from self._read_line(line, keep_long=keep_long)
                    rest, size = [], 0
                rest.append(tail)
                size += len(tail)
                if size > self.max_line_bytes:
                    rest = [b"".join(rest).lstrip(_PADDING)]
                    size = len(rest[0])
                if size > self.max_line_bytes:
                    too_long, rest, size = rest[0], [], 0
                    if keep_long:
                        self._line += 1
                        with tempfile.TemporaryFile() as file:
                            file.write(too_long)
                            after = b"".join(_after_this_line(blocks, file))
                            file.flush()
                            yield self._line, LongLine(file)
                    else:
                        yield from self._read_line(too_long, keep_long=False)
                        after = b"".join(_after_this_line(blocks))
                    *lines, tail = after.split(b"\n")
                    for line in lines:
                        yield from self._read_line(line, keep_long=keep_long)
                    rest, size = [tail], len(tail)
        except BrokenFile as error:
            broken = error
        if size:
            yield from self._read_line(b"".join(rest), keep_long=keep_long)
        if broken:
            yield self._line, BadPart(Reason.MALFORMED_LINE, f"file is broken after this line: {broken}")

    def _read_line(self, line: bytes, *, keep_long: bool) -> Iterator[Line]:
        self._line += 1
        text = line.removeprefix(BYTE_ORDER_MARK) if self._line == 1 else line
        text = text.strip(_PADDING)
        if len(text) > self.max_line_bytes and not keep_long:
            message = f"line longer than {self.max_line_bytes} bytes"
            yield self._line, BadPart(Reason.TOO_LARGE, message, text[:_SHOWN_OF_A_LONG_LINE])
        elif text and not _is_blank(text):
            yield self._line, text


def _is_blank(text: bytes) -> bool:
    return text.isspace() or (text[:1] == BYTE_ORDER_MARK[:1] and not text.replace(BYTE_ORDER_MARK, b"").strip())


def _after_this_line(blocks: Iterator[bytes], keep: IO[bytes] | None = None) -> Iterator[bytes]:
    """Read to the end of a line that is too long, writing it to ``keep``; returns what follows it in the same block."""
    for block in blocks:
        line, newline, after = block.partition(b"\n")
        if keep:
            keep.write(line)
        if newline:
            yield after
            return
