"""Rewriting raw files without what names the person: elements of a request, or the whole request if nothing else is in it."""

from __future__ import annotations

import gzip
import json
import mmap
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from streaming_app.commands.erase.finder import PersonFinder, PersonMatch
from streaming_app.errors import InputError
from streaming_app.ingest.read.lines import BadPart, LineReader, LongLine
from streaming_app.model.request import Request, decode_line, parse_request
from streaming_app.storage.files import Storage
from streaming_app.storage.uris import is_s3

_COPY_BYTES = 1 << 20


@dataclass
class RawCounts:
    """Raw files and lines that named the person; files that could not be read to their end and are left as they are; lines that
    could not be; lines that name the same id of another app."""

    raw_files: int = 0
    raw_lines: int = 0
    raw_unreadable: int = 0
    raw_unsearched: int = 0
    raw_other_apps: int = 0

    def add(self, other: RawCounts) -> None:
        for name, count in asdict(other).items():
            setattr(self, name, getattr(self, name) + count)


@dataclass(frozen=True)
class RawEraser:
    """Works on one raw file at a time, in bounded memory: a line longer than ``max_line_bytes`` is searched on disk."""

    storage: Storage
    finder: PersonFinder
    max_line_bytes: int

    def erase(self, uri: str, *, dry_run: bool = False) -> RawCounts:
        """Rewrite the file if it names the person; one that cannot be read to its end is left as it is."""
        with tempfile.TemporaryFile() as rewritten:
            counts = self._rewrite(uri, rewritten)
            if counts.raw_lines and not counts.raw_unreadable and not dry_run:
                rewritten.seek(0)
                try:
                    self._replace_file(uri, rewritten)
                except pa.ArrowInvalid:  # a key with an empty part, which Arrow writes as little as it reads it
                    counts.raw_unreadable = 1
        return counts

    def _rewrite(self, uri: str, out: IO[bytes]) -> RawCounts:
        counts = RawCounts()
        with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) if uri.endswith(".gz") else _Plain(out) as lines:
            for _, line in LineReader(self.storage, uri, self.max_line_bytes).with_long_lines():
                if isinstance(line, BadPart):
                    counts.raw_unreadable = 1
                elif isinstance(line, LongLine):
                    self._copy_long_line(line, lines, counts)
                else:
                    found, left = self._erase_from_line(line)
                    _count(found, counts)
                    if left is not None:
                        lines.write(left + b"\n")
        counts.raw_files = int(counts.raw_lines > 0)
        return counts

    def _copy_long_line(self, line: LongLine, lines: IO[bytes] | gzip.GzipFile, counts: RawCounts) -> None:
        """Copy a line that is too long to be parsed, unless it names the person."""
        with mmap.mmap(line.file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            found = self.finder.in_text(text)
            _count(found, counts)
            if not found.person_found:
                shutil.copyfileobj(text, lines, _COPY_BYTES)
                lines.write(b"\n")

    def _erase_from_line(self, line: bytes) -> tuple[PersonMatch, bytes | None]:
        """Search a line; returns the match, and the line without the person: None where nothing is left of it."""
        try:
            request = parse_request(line)
        except InputError:
            found = self.finder.in_text(line)
            return found._replace(complete=found.complete and not _is_binary(line)), None if found.person_found else line
        envelope = _envelope(line, request)
        found = self.finder.in_request(request, line, json.dumps(envelope).encode())
        if not found.person_found:
            return found, line
        if not found.kept_elements:
            return found, None
        fields = envelope | {"data": f"[{','.join(found.kept_elements)}]"}
        return found, json.dumps(fields, ensure_ascii=False).encode("utf-8", "backslashreplace")

    def _replace_file(self, uri: str, content: IO[bytes]) -> None:
        """Replace the file atomically; the checkpoints know it by its name and will not read it again."""
        system, path = self.storage.filesystem(uri)
        target = path if is_s3(uri) else str(Path(path).with_name(f".{Path(path).name}.tmp"))
        with system.open_output_stream(target) as stream:
            shutil.copyfileobj(content, stream)
        if target != path:
            system.move(target, path)


def _count(found: PersonMatch, counts: RawCounts) -> None:
    if found.person_found:
        counts.raw_lines += 1
    else:
        counts.raw_unsearched += not found.complete
        counts.raw_other_apps += found.id_found


def _envelope(line: bytes, request: Request) -> dict[str, Any]:
    """The line without its payload, which may be in the query of its URI: what is written again if elements go."""
    fields, _ = decode_line(line)
    return {**fields, "data": None, "uri": (request.uri or "").partition("?")[0]}


_BINARY = bytes(range(0x09)) + bytes(range(0x0E, 0x20))


def _is_binary(line: bytes) -> bool:
    """Whether a line that is no request is no text either: packed in a way that is not known here."""
    return line.translate(None, _BINARY) != line


class _Plain:
    """A stream that is not closed with the block, like gzip's."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out

    def __enter__(self) -> IO[bytes]:
        return self._out

    def __exit__(self, *_: object) -> None:
        self._out.flush()
