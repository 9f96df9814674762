"""Remembering what was made of clients' texts, in memory that is bounded whatever they send."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache, wraps
from typing import Any, Protocol, TypeVar, cast

R_co = TypeVar("R_co", covariant=True)

LONGEST = 1_024
"""Characters of the arguments of a call that is remembered; a real address or user agent has a few hundred."""


class CachedFunction(Protocol[R_co]):
    """A function that remembers, as ``functools.lru_cache`` makes them."""

    def __call__(self, *args: Hashable) -> R_co: ...
    def cache_clear(self) -> None: ...
    def cache_info(self) -> Any: ...


def bounded_cache(entries: int, longest: int = LONGEST) -> Callable[[Callable[..., R_co]], CachedFunction[R_co]]:
    """A decorator: of a function's calls the latest ``entries`` are remembered, but none with more than ``longest`` characters.

    So a cache holds at most ``entries * longest`` characters, and what was made of them. Arguments are texts, tuples of
    texts, or anything small.
    """

    def decorate(function: Callable[..., R_co]) -> CachedFunction[R_co]:
        remembered = lru_cache(entries)(function)

        @wraps(function)
        def answer(*args: Hashable) -> R_co:
            return remembered(*args) if _characters(args) <= longest else function(*args)

        either = cast("Any", answer)
        either.cache_clear, either.cache_info = remembered.cache_clear, remembered.cache_info
        return cast("CachedFunction[R_co]", either)

    return decorate


def _characters(values: Iterable[Any]) -> int:
    """Of all texts in a tuple; written for speed, as some functions are called for each event."""
    count = 0
    for value in values:
        if value.__class__ is str:
            count += len(value)
        elif value is not None and isinstance(value, tuple):
            count += _characters(value)
    return count
