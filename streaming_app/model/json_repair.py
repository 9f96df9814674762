"""Reads damaged JSON text of clients: repairs what can be repaired, and reports the repairs."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MARK = BYTE_ORDER_MARK.decode()

_decode = msgspec.json.Decoder().decode


def decode_repaired(text: bytes) -> tuple[Any, list[str]]:
    """Decode JSON text that a strict parser refuses; returns the value and the kinds of repairs. Slow.

    ``byte_order_mark``: marks around the text are removed. ``invalid_utf8``, ``lone_surrogate``: replaced by U+FFFD.
    ``control_character``: kept in its string. ``number``: NaN, Infinity, and numbers that do not fit 64 bits are null.

    Raises:
        ValueError: it is not JSON even so, or nested too deeply.
    """
    repairs: list[str] = []
    try:
        plain = text.decode()
    except UnicodeDecodeError:
        plain = text.decode("utf-8", "replace")
        repairs.append("invalid_utf8")
    if (stripped := strip_marks(plain)) != plain.strip():
        repairs.append("byte_order_mark")
    try:
        return _decode(stripped), repairs
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        pass
    try:
        value, found = _parse(stripped)
    except RecursionError as error:
        raise ValueError(str(error)) from None
    return value, [*repairs, *found]


def strip_marks(text: str) -> str:
    """The text without byte order marks and white space around it."""
    text = text.strip()
    return text.strip(_MARK).strip() if _MARK in (text[:1], text[-1:]) else text


def strip_mark(text: bytes) -> bytes:
    """Remove a byte order mark at the beginning of bytes."""
    return text.removeprefix(BYTE_ORDER_MARK).lstrip() if text[:1] == BYTE_ORDER_MARK[:1] else text


def _parse(text: str) -> tuple[Any, list[str]]:
    repairs: list[str] = []

    def finite(digits: str) -> float | None:
        number = float(digits)  # reads NaN and Infinity too
        if math.isfinite(number):
            return number
        repairs.append("number")
        return None

    def integer(digits: str) -> int | float | None:
        return int(digits) if len(digits) < _LONG_INTEGER else finite(digits)

    numbers: Any = {"parse_constant": finite, "parse_float": finite, "parse_int": integer}
    try:
        value = json.loads(text, **numbers)
    except ValueError:
        value = json.loads(text, strict=False, **numbers)
        repairs.append("control_character")
    again = json.dumps(value, ensure_ascii=False)
    try:
        clean = again.encode()
    except UnicodeEncodeError:
        repairs.append("lone_surrogate")
        clean = again.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
    return _decode(clean), list(dict.fromkeys(repairs))


_LONG_INTEGER = 20
"""Number of characters from which an integer may not fit 64 bits."""
