"""Byte limits of text columns."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def shorten_text(array: pa.Array, max_bytes: int) -> pa.Array:
    """Cut each text to ``max_bytes`` of UTF-8 without splitting a character; the same array where all fit."""
    longest = pc.max(pc.binary_length(array)).as_py()
    if longest is None or longest <= max_bytes:
        return array
    return pa.array([None if text is None else cut(text, max_bytes) for text in array.to_pylist()], pa.string())


def storable(text: str) -> str:
    """Text that is valid UTF-8: a lone surrogate, as in the name of a file that is not UTF-8, is shown by its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def cut(text: str, max_bytes: int) -> str:
    """The longest beginning of the text that has at most ``max_bytes`` of UTF-8.

    >>> cut("añb", 2)
    'a'
    """
    return text.encode()[:max_bytes].decode("utf-8", "ignore")
