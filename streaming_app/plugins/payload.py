"""Decodes the payload of a request: from the text in ``data`` (or in the URI) to JSON elements, where a bad one fails alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, cast
from urllib.parse import unquote_plus, unquote_to_bytes

import msgspec
import pybase64
from isal import isal_zlib

from streaming_app.errors import InputError, MalformedPayload, TooLarge
from streaming_app.model.json_repair import decode_repaired, strip_mark, strip_marks
from streaming_app.plugins.split import iterate_elements
from streaming_app.plugins.transformer import Limits

# The stubs declare an instance where the module has a class.
IsalError = cast("type[Exception]", isal_zlib.error)

GZIP_MAGIC = b"\x1f\x8b"
GZIP_OR_ZLIB = 15 + 32
"""zlib's window bits: the largest window, and the format detected from the header."""

_decode = msgspec.json.Decoder().decode


def payload_bytes(data: str | None, uri: str | None, limits: Limits | int) -> bytes:
    """The JSON text of a request: plain, base64(gzip(…)), or the ``data`` or ``data_list`` of a form, which may also be
    base64 of plain JSON. Of a request without a body the form is the query string of its URI.

    ``limits`` as a number is the maximum size in bytes, regardless of the compression ratio.

    Raises:
        MalformedPayload: empty, or none of these.
        TooLarge: more than ``limits`` allow after decompression, which stops there.
    """
    max_bytes = limits if isinstance(limits, int) else limits.max_payload_bytes
    content, is_packed = stored_payload(data, uri)
    if not is_packed:
        return _within(content, max_bytes)
    return gunzip(content, limits if isinstance(limits, int) else limits.decoded_bytes(len(content)))


def stored_payload(data: str | None, uri: str | None) -> tuple[bytes, bool]:
    """The payload as it was sent, without base64, and whether it is compressed.

    Raises:
        MalformedPayload: empty, or neither JSON nor base64.
    """
    text, is_form = strip_marks(data or ""), False
    if text[:1] not in ("[", "{") and (value := form_value(text or (uri or "").partition("?")[2])):
        text, is_form = strip_marks(value), True
    if not text:
        raise MalformedPayload("the request has no data")
    if text[0] in "[{":
        return text.encode("utf-8", "surrogatepass"), False
    try:
        packed = pybase64.b64decode(text, validate=False)
    except ValueError as error:
        raise MalformedPayload(f"neither JSON nor base64: {error}") from None
    return packed, not (is_form and strip_mark(packed.lstrip())[:1] in (b"[", b"{"))


_FORM_PAIR = re.compile(r"(?:^|&)data(?:_list)?=([^&]+)")


def form_value(text: str) -> str | None:
    """The first ``data`` or ``data_list`` of a form that has a value, decoded once; None if there is none.

    A ``+`` is kept in base64 and is a space in JSON. This runs for each request: parsing the whole query string would take ten
    times as long.

    >>> form_value("crc=1&gzip=1&data_list=YSti%2BQ%3D%3D&ext=crc%3D2")
    'YSti+Q=='
    """
    if "data=" not in text and "data_list=" not in text:
        return None
    pair = _FORM_PAIR.search(text)
    if pair is None:
        return None
    value = unquote_to_bytes(pair[1]).decode("utf-8", "replace").strip()  # half the time of unquote
    return unquote_plus(pair[1]).strip() if strip_marks(value)[:1] in ("[", "{") else value


def _within(plain: bytes, max_bytes: int) -> bytes:
    if len(plain) > max_bytes:
        raise TooLarge(f"payload of {len(plain)} bytes, allowed are {max_bytes}")
    return plain


def gunzip(packed: bytes, max_bytes: int) -> bytes:
    """Decompress a gzip (or zlib) stream to at most ``max_bytes``; several members, also with zero bytes between them, are one
    content.

    Raises:
        MalformedPayload: it is not such a stream, is truncated, or has more members than any client writes.
        TooLarge: the result would be larger.
    """
    plain, rest = _first_member(packed, max_bytes)
    if not rest:
        return plain
    members = [plain]
    while (rest := rest.lstrip(b"\0")).startswith(GZIP_MAGIC):
        if len(members) == _MOST_MEMBERS:
            raise MalformedPayload(f"more than {_MOST_MEMBERS} gzip members")
        plain, rest = _first_member(rest, max_bytes, sum(map(len, members)))
        members.append(plain)
    return b"".join(members)


_MOST_MEMBERS = 64
"""Maximum number of gzip members: the data after each member is copied, so their number must be bounded."""


def _first_member(packed: bytes, max_bytes: int, before: int = 0) -> tuple[bytes, bytes]:
    """The content of the first member, and the bytes after it; ``before`` is the size of the earlier members' content."""
    stream = isal_zlib.decompressobj(GZIP_OR_ZLIB)
    try:
        plain = stream.decompress(packed, max_bytes - before + 1)
    except IsalError as error:
        raise MalformedPayload(f"neither JSON nor base64(gzip): {error}") from None
    if before + len(plain) > max_bytes:
        raise TooLarge(f"payload larger than {max_bytes} bytes after decompression")
    if not stream.eof:
        raise MalformedPayload("the gzip stream is cut short")
    return bytes(plain), stream.unused_data


def elements(payload: bytes, limits: Limits) -> Iterator[dict[str, Any] | InputError]:
    """Yield the elements of a JSON array, or a single object; in place of a bad element, its error.

    Raises:
        MalformedPayload: it is neither an array nor an object.
        TooLarge: more than ``limits.max_events_per_request`` elements.
    """
    if len(payload) > limits.max_event_bytes:
        yield from _one_by_one(payload, limits)
        return
    try:
        decoded = _decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        yield from _one_by_one(payload, limits)
        return
    if not isinstance(decoded, list | dict):
        raise MalformedPayload("neither a JSON array nor a JSON object")
    found = decoded if isinstance(decoded, list) else [decoded]
    _check_count(len(found), limits.max_events_per_request)
    for element in found:
        yield element if isinstance(element, dict) else InputError("not a JSON object")


def _one_by_one(payload: bytes, limits: Limits) -> Iterator[dict[str, Any] | InputError]:
    """Yield the elements one by one: for payloads with a bad element, or that would take too much memory at once."""
    parts = _split_payload(payload, limits.max_events_per_request)
    if not parts:
        raise MalformedPayload("neither a JSON array nor a JSON object")
    for part in parts:
        if len(part) > limits.max_event_bytes:
            yield TooLarge(f"element of {len(part)} bytes, allowed are {limits.max_event_bytes}")
            continue
        try:
            yield decode_tolerantly(part)
        except InputError as error:
            yield error


def _split_payload(payload: bytes, most: int) -> list[bytes]:
    """The raw text of each element.

    Raises:
        TooLarge: more than ``most`` elements.
    """
    if payload[:1] == b"[" and payload.count(b",") < _FEW_VALUES:
        with suppress(msgspec.MsgspecError, RecursionError):  # not valid JSON: split at its brackets
            raw = _split(payload)
            _check_count(len(raw), most)
            return [bytes(each) for each in raw]
    parts = list(islice(iterate_elements(payload), most + 1))
    if len(parts) > most:  # counting all of millions would take too long
        raise TooLarge(f"more than {most} events in one request")
    return parts


_split = msgspec.json.Decoder(list[msgspec.Raw]).decode
_FEW_VALUES = 5_000_000
"""Maximum number of commas of a payload that is split at once, which takes 100 bytes of memory for each."""


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise TooLarge(f"{count} events in one request, allowed are {most}")


def decode_tolerantly(part: bytes) -> dict[str, Any]:
    """Decode one JSON object, and repair its text if it is damaged.

    Raises:
        InputError: it is not a JSON object even so.
    """
    try:
        value, _ = decode_repaired(part)
    except ValueError as error:
        raise InputError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError("not a JSON object")
    return value
