"""Raw files written again without what names the person: elements of a request, or the whole request if nothing else is in it."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa

from streaming_app.erasure.mentions import Mentions
from streaming_app.errors import InputError
from streaming_app.ingest.read_lines import BadPart, LineReader
from streaming_app.ingest.run_plugin import raw_elements
from streaming_app.model.request import decode_line, parse_request
from streaming_app.storage import Storage
from streaming_app.uris import is_s3


@dataclass(frozen=True)
class RawEraser:
    """Works on one raw file at a time, in bounded memory."""

    storage: Storage
    mentions: Mentions
    app_id: str
    max_line_bytes: int
    max_payload_bytes: int

    def erase(self, uri: str, *, dry_run: bool = False) -> tuple[int, bool]:
        """Write the file again where it names the person; returns how many lines changed, and whether part of the file could
        not be read: such a file is left as it is."""
        with tempfile.TemporaryFile() as made:
            changed, broken = self._rewritten(uri, made)
            if changed and not broken and not dry_run:
                made.seek(0)
                try:
                    self._put(uri, made)
                except pa.ArrowInvalid:  # a key with an empty part, which Arrow writes as little as it reads it
                    broken = True
        return changed, broken

    def _rewritten(self, uri: str, out: IO[bytes]) -> tuple[int, bool]:
        changed, broken = 0, False
        with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) if uri.endswith(".gz") else _Plain(out) as lines:
            for _, line in LineReader(self.storage, uri, self.max_line_bytes):
                if isinstance(line, BadPart):
                    broken = True
                    continue
                left = self._without(line)
                changed += left != line
                if left is not None:
                    lines.write(left + b"\n")
        return changed, broken

    def _without(self, line: bytes) -> bytes | None:
        """The line without the person; None where nothing is left of it."""
        try:
            request = parse_request(line)
        except InputError:
            return None if self.mentions.in_text(line.decode("utf-8", "replace")) else line
        if request.app_id not in (self.app_id, None):
            return line
        if not self.mentions.in_payload(request.data, request.uri, self.max_payload_bytes):
            return None if self.mentions.in_text(line.decode("utf-8", "replace")) else line
        kept = [each for each in raw_elements(request, self.max_payload_bytes) if not self.mentions.in_text(each)]
        if not kept:
            return None
        fields, _ = decode_line(line)
        fields |= {"data": f"[{','.join(kept)}]", "uri": (request.uri or "").partition("?")[0]}
        return json.dumps(fields, ensure_ascii=False).encode()

    def _put(self, uri: str, content: IO[bytes]) -> None:
        """In place of the file, as a whole; the checkpoints know it by its name and will not read it again."""
        system, path = self.storage.filesystem(uri)
        target = path if is_s3(uri) else str(Path(path).with_name(f".{Path(path).name}.tmp"))
        with system.open_output_stream(target) as stream:
            shutil.copyfileobj(content, stream)
        if target != path:
            system.move(target, path)


class _Plain:
    """A stream that is not closed with the block, like gzip's."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out

    def __enter__(self) -> IO[bytes]:
        return self._out

    def __exit__(self, *_: object) -> None:
        self._out.flush()
