"""Calls a function on many files or objects, several at a time: a process waits for S3 for longer than it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_THREADS = 8

T = TypeVar("T")
R = TypeVar("R")


def map_side_by_side(function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """The results of ``function`` for all items, in their order."""
    if len(items) <= 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(function, items)
