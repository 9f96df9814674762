"""Rebuilding the request that a row of ``quarantine`` came from."""

from __future__ import annotations

import itertools
import re
from typing import Any, NamedTuple

import msgspec

from streaming_app.errors import InputError
from streaming_app.ingest.read.lines import BadPart, LineReader
from streaming_app.ingest.transform.route import RoutedElements
from streaming_app.model.request import Request, parse_request
from streaming_app.storage.files import Storage

_ENVELOPE = msgspec.json.Decoder(Request)
_SHORT_OF = 3
"""A text that was cut at a limit may be so many bytes shorter than it, lest a character is split."""


class ReplayedRequest(NamedTuple):
    """A request; if it holds more elements than the row, ``only`` is the position of the row's own."""

    request: Request
    only: int | None = None

    def outcome_of_row(self, routed: RoutedElements) -> RoutedElements:
        """What became of the row's own elements."""
        if self.only is None:
            return routed
        events, changes, rejected = routed
        return RoutedElements(
            [each for each in events if each.position == self.only],
            [each for each in changes if each.position == self.only],
            [each for each in rejected if each[0].position in (self.only, None)],
        )


class RequestRebuilder:
    """Rebuilds requests from rows. A request whose text was cut at ``max_raw_bytes`` is read from its raw file."""

    def __init__(self, storage: Storage, max_line_bytes: int, max_raw_bytes: int) -> None:
        self._storage, self._max_line_bytes, self._max_raw_bytes = storage, max_line_bytes, max_raw_bytes

    def rebuild(self, row: dict[str, Any]) -> ReplayedRequest | None:
        """The request; None where it is no longer available, or never was one (part of a broken file)."""
        if row["stage"] == "file":
            return None
        is_whole = len((row["raw"] or "").encode()) < self._max_raw_bytes - _SHORT_OF
        try:
            if row["envelope"] is None:
                return ReplayedRequest(self._request_of_line(row, is_whole=is_whole))
            request = _ENVELOPE.decode(row["envelope"])
            if is_whole and not request.cut:
                request.data = row["raw"]
                return ReplayedRequest(request)
            only = None if row["elements"] else request.first_position
            request = self._request_of_line(row, is_whole=False)
        except (InputError, msgspec.MsgspecError, OSError):
            return None
        return ReplayedRequest(request, only)

    def _request_of_line(self, row: dict[str, Any], *, is_whole: bool) -> Request:
        request = parse_request(_restore_bytes(row["raw"]) if is_whole else self._read_line(row))
        request.source_file, request.source_line = row["source_file"], row["source_line"]
        return request

    def _read_line(self, row: dict[str, Any]) -> bytes:
        reader = LineReader(self._storage, row["source_file"], self._max_line_bytes)
        for number, line in itertools.takewhile(lambda each: each[0] <= row["source_line"], reader):
            if number == row["source_line"] and not isinstance(line, BadPart):
                return line
        raise FileNotFoundError(f"{row['source_file']}: has no line {row['source_line']} any more")


# Before a byte's escape stands an even number of backslashes; JSON has no such escape.
_BYTE = re.compile(rb"(?<!\\)((?:\\\\)*+)\\x([89a-f][0-9a-f])")


def _restore_bytes(raw: str) -> bytes:
    """The bytes of a line that was stored as text, where a byte that is not UTF-8 is an escape."""
    return _BYTE.sub(lambda found: found[1] + bytes.fromhex(found[2].decode()), raw.encode())
