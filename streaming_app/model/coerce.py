"""Converts JSON values tolerantly to the type of a column; ``None`` if a value cannot be converted.

Pure functions of one value. Integers stay inside 64 bits and floats finite, so that every result fits its column.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

INT64 = range(-(2**63), 2**63)
"""Integers that fit a ``bigint`` column."""

_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})


def as_text(value: Any) -> str | None:
    """Text as it is; numbers and booleans as JSON spells them; objects and arrays as JSON text."""
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def as_int(value: Any) -> int | None:
    """Numbers as integers (truncated towards zero), also from decimal text; a boolean is not a number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if value in INT64 else None
    number = as_float(value)
    if number is None or not -(2.0**63) <= number < 2.0**63:
        return None
    if isinstance(value, str) and value.strip().lstrip("+-").isdecimal():
        exact = int(value)  # a float would lose digits beyond 2**53
        return exact if exact in INT64 else None
    return int(number)


def as_float(value: Any) -> float | None:
    """Finite numbers and their decimal text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and (len(value) > _LONGEST_NUMBER or "_" in value):
        return None  # only Python reads 1_000 as a number
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


# No meaningful number is longer, and Python refuses integer text beyond 4,300 digits.
_LONGEST_NUMBER = 400


def as_bool(value: Any) -> bool | None:
    """Booleans, 0 and 1, and the texts of both, whatever their case."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return None if value not in (0, 1) else bool(value)
    if isinstance(value, str):
        text = value.strip().lower()
        return True if text in _TRUE else False if text in _FALSE else None
    return None


def as_object(value: Any) -> dict[str, Any]:
    """Objects as they are, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


COERCE: dict[type, Callable[[Any], Any]] = {str: as_text, int: as_int, float: as_float, bool: as_bool}
"""The conversion to each Python type that a column can have."""
