"""Checks the nesting limit of JSON values, without recursion."""

from __future__ import annotations

from typing import Any

from streaming_app.errors import TooLarge

_NESTED = frozenset({dict, list})


def check_depth(value: Any, max_depth: int) -> None:
    """Check that objects and arrays are not nested deeper than ``max_depth``.

    Raises:
        TooLarge: nested too deeply.
    """
    if isinstance(value, dict) and _NESTED.isdisjoint(map(type, value.values())):
        return  # the most common case
    level = [value]
    for _ in range(max_depth):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if child.__class__ in _NESTED
        ]
        if not level:
            return
    raise TooLarge(f"nested deeper than {max_depth} levels")
