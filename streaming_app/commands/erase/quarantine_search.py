"""Erasing elements in quarantine that name the person: raw text cannot be anonymised."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa

from streaming_app.commands.erase.finder import PersonFinder, PersonMatch
from streaming_app.derive.set_aside import STAGE as DERIVE
from streaming_app.errors import InputError
from streaming_app.lake.commit import TableChange, TransactionId, commit
from streaming_app.lake.files import DataFile
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rewrite import row_mask, without_rows
from streaming_app.lake.rows import read_batches
from streaming_app.model.request import Request, parse_request
from streaming_app.model.tables import QUARANTINE

_ENVELOPE = msgspec.json.Decoder(Request)


@dataclass
class QuarantineMatches:
    """Path of a file to the positions of its rows that name the person; how many stay that could not be read to their end, and
    how many that name the same id of another app."""

    positions: dict[str, list[int]] = field(default_factory=dict)
    unsearched: int = 0
    other_apps: int = 0

    @property
    def rows(self) -> int:
        return sum(map(len, self.positions.values()))


def search_quarantine(app_id: str, finder: PersonFinder, lake: Lake) -> QuarantineMatches:
    """Search every row, whatever its app: an element may belong to another app than its request."""
    result = QuarantineMatches()
    for file in live_files(lake.open(QUARANTINE)):
        first = 0
        for rows in read_batches(lake, QUARANTINE, file, ["app_id", "stage", "message", "raw", "envelope"]):
            for position, row in enumerate(rows.to_pylist(), first):
                found = _search_row(row, app_id, finder)
                if found.person_found:
                    result.positions.setdefault(file.path, []).append(position)
                else:
                    result.unsearched += not found.complete
                    result.other_apps += found.id_found
            first += len(rows)
    return result


def _search_row(row: dict[str, Any], app_id: str, finder: PersonFinder) -> PersonMatch:
    raw, message = row["raw"] or "", row["message"] or ""
    if row["stage"] == DERIVE:  # the key of a user or an item
        found = finder.in_text(f"{raw} {message}".encode())
        return found._replace(person_found=found.id_found and row["app_id"] == app_id)
    try:
        request, beside = _request(row)
    except (InputError, msgspec.MsgspecError):
        return finder.in_text(f"{raw} {message}".encode())
    envelope = f"{beside} {message}".encode()
    return finder.in_request(request, raw.encode() + b" " + envelope, envelope)


def _request(row: dict[str, Any]) -> tuple[Request, str]:
    """The request of a row, and its text beside the payload."""
    if row["envelope"] is None:
        request = parse_request((row["raw"] or "").encode())
        return request, msgspec.json.encode(msgspec.structs.replace(request, data=None)).decode()
    request = _ENVELOPE.decode(row["envelope"])
    request.data = row["raw"]
    return request, row["envelope"]


def erase_quarantine_rows(found: dict[str, list[int]], lake: Lake) -> None:
    """Rewrite the files without these rows, in one commit."""
    files = [file for file in live_files(lake.open(QUARANTINE)) if file.path in found]
    written = [each for file in files for each in _rewrite_file(file, found[file.path], lake)]
    commit(lake, QUARANTINE, TableChange([], files, written, data_change=True), TransactionId.unique("erase"))


def _rewrite_file(file: DataFile, positions: list[int], lake: Lake) -> list[DataFile]:
    lost = row_mask(file.rows, pa.array(positions, pa.int64()))
    return without_rows(lake, QUARANTINE, file, lost)
