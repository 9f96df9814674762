"""JSON of clients whose text is damaged: what can be repaired is, and it is said what was."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MARK = BYTE_ORDER_MARK.decode()

_decode = msgspec.json.Decoder().decode


def decode_repaired(text: bytes) -> tuple[Any, list[str]]:
    """The value of a JSON text, and what had to be repaired; the slow way, for text that strict JSON refuses.

    ``byte_order_mark``: marks around the text are left out. ``invalid_utf8``, ``lone_surrogate``: U+FFFD stands for them.
    ``control_character``: kept as it is in its string. ``number``: one that is none (NaN, Infinity) or has no end in 64 bits is
    null.

    Raises:
        ValueError: no JSON all the same, or nested too deeply.
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
    """The same of bytes, at the beginning only."""
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
"""Characters of an integer that 64 bits may not hold."""
