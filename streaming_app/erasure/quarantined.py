"""Elements in quarantine that name the person go: raw text cannot be made anonymous."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa

from streaming_app.erasure.mentions import Mentions
from streaming_app.model.tables import QUARANTINE
from streaming_app.tables.commit import Rewrite, commit_once
from streaming_app.tables.delta import Sink, live_files
from streaming_app.tables.files import LiveFile, WrittenFile
from streaming_app.tables.rewrite import row_mask, without_rows
from streaming_app.tables.rows import read_batches


def quarantined_hits(app_id: str, mentions: Mentions, max_bytes: int, sink: Sink) -> dict[str, list[int]]:
    """Path of a file to the positions of its rows that name the person."""
    found: dict[str, list[int]] = {}
    for file in live_files(sink.open(QUARANTINE)):
        first = 0
        for rows in read_batches(sink, QUARANTINE, file, ["app_id", "raw", "envelope"]):
            for position, row in enumerate(rows.to_pylist(), first):
                if row["app_id"] in (app_id, None) and _names(row, mentions, max_bytes):
                    found.setdefault(file.path, []).append(position)
            first += len(rows)
    return found


def _names(row: dict[str, Any], mentions: Mentions, max_bytes: int) -> bool:
    raw, envelope = row["raw"] or "", row["envelope"]
    if mentions.in_text(raw) or (envelope and mentions.in_text(envelope)):
        return True
    if envelope is None:
        return _line_names(raw, mentions, max_bytes)
    return mentions.in_payload(raw, msgspec.json.decode(envelope).get("uri"), max_bytes)


def _line_names(raw: str, mentions: Mentions, max_bytes: int) -> bool:
    try:
        request = msgspec.json.decode(raw)
    except msgspec.MsgspecError:
        return False
    return isinstance(request, dict) and mentions.in_payload(str(request.get("data") or ""), None, max_bytes)


def take_out_quarantined(found: dict[str, list[int]], sink: Sink) -> None:
    """Write the files again without these rows, in one commit."""
    files = [file for file in live_files(sink.open(QUARANTINE)) if file.path in found]
    written = [each for file in files for each in _without(file, found[file.path], sink)]
    commit_once(sink, QUARANTINE, Rewrite([], files, written, silent=False), "erase")


def _without(file: LiveFile, positions: list[int], sink: Sink) -> list[WrittenFile]:
    lost = row_mask(file.rows, pa.array(positions, pa.int64()))
    return without_rows(sink, QUARANTINE, file, lost)
