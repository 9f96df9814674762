"""One raw line as the ingestion endpoint wrote it (a JSON object per request), read tolerantly."""

from __future__ import annotations

from typing import Any

import msgspec

from streaming_app.errors import MalformedLine
from streaming_app.model.coerce import as_int, as_text
from streaming_app.model.json_repair import decode_repaired
from streaming_app.model.times import is_time
from streaming_app.model.web_address import query_value


class Request(msgspec.Struct, gc=False):
    """A request: payload and envelope. Times are epoch ms; ``source_line`` counts from 1 in ``source_file``."""

    data: str | None = None
    app_id: str | None = msgspec.field(default=None, name="appId")
    ip: str | None = None
    ua: str | None = None
    uri: str | None = None
    rid: str | None = None
    ingest_time: int | None = None
    client_timestamp: int | None = None
    upload_timestamp: int | None = None
    source_file: str = ""
    source_line: int = 0
    first_position: int = 0
    """Position of the payload's first element; not 0 if a payload is passed to the transformer in parts."""
    unreadable: dict[str, str] | None = None
    """Times of the envelope that are unreadable or outside of 1970 to 2199: their names and what was sent."""
    repaired: list[str] | None = None
    """Repairs of the line's text, see :func:`~streaming_app.model.json_repair.decode_repaired`."""
    cut: bool = False
    """In an envelope of ``quarantine``: a text in it was truncated, and is complete in the raw line only."""

    @property
    def upload_time(self) -> int | None:
        """When the client sent it, by the client's clock; from the URI if the endpoint did not record it."""
        if self.client_timestamp is not None:
            return self.client_timestamp
        if self.upload_timestamp is None and self.uri:
            sent = as_int(query_value(self.uri, "upload_timestamp"))
            return sent if sent is not None and is_time(sent) else None
        return self.upload_timestamp


_ENVELOPE = {"app_id": "appId", "ip": "ip", "ua": "ua", "uri": "uri", "rid": "rid"}
_TIMES = ("ingest_time", "client_timestamp", "upload_timestamp")
_BOOLEAN = (0, 1)
_SHOWN = 64
"""Maximum characters that are kept of an unreadable time."""
# "lax": numeric text is accepted for numbers, as real endpoints send client_timestamp as a string of digits.
_decoder = msgspec.json.Decoder(Request, strict=False)


def parse_request(line: bytes) -> Request:
    """Read one raw line.

    Unknown keys are ignored, numbers are accepted as text and the other way round, unreadable values are null, damaged text is
    repaired.

    Raises:
        MalformedLine: the line is not a JSON object.
    """
    try:
        request = _decoder.decode(line)
        if _has_boolean_time(request):
            request = _parse_leniently(line)
        request.repaired = None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        request = _parse_leniently(line)
    request.first_position, request.unreadable, request.cut = (
        0,
        None,
        False,
    )  # set by this application only, whatever the line has
    for name in _TIMES:
        if (sent := getattr(request, name)) is not None and not is_time(sent):
            request.unreadable = {**(request.unreadable or {}), name: str(sent)[:_SHOWN]}
            setattr(request, name, None)
    return request


def _has_boolean_time(request: Request) -> bool:
    """Whether a time may have been a boolean, which the decoder takes for 0 or 1."""
    received, sent = request.ingest_time, request.client_timestamp
    return received in _BOOLEAN or sent in _BOOLEAN or request.upload_timestamp in _BOOLEAN


def _parse_leniently(line: bytes) -> Request:
    """Read a line in which a value has an unexpected type, or whose text is damaged. Slow."""
    raw, repairs = decode_line(line)
    fields: dict[str, Any] = {name: as_text(raw.get(key)) for name, key in _ENVELOPE.items()}
    fields |= {name: as_int(raw.get(name)) for name in _TIMES}
    return Request(data=as_text(raw.get("data")), repaired=repairs or None, **fields)


def decode_line(line: bytes) -> tuple[dict[str, Any], list[str]]:
    """All keys of one raw line, and the repairs of its text.

    Raises:
        MalformedLine: the line is not a JSON object.
    """
    repairs: list[str] = []
    try:
        raw = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        try:
            raw, repairs = decode_repaired(line)
        except ValueError:
            raise MalformedLine(str(error)) from None
    if not isinstance(raw, dict):
        raise MalformedLine("not a JSON object")
    return raw, repairs
