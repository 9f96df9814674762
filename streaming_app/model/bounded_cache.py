"""A cache for functions of clients' texts, whose memory is bounded whatever clients send."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache, wraps
from typing import Any, Protocol, TypeVar, cast

R_co = TypeVar("R_co", covariant=True)

LONGEST = 1_024
"""Maximum characters of the arguments of a cached call; a real address or user agent has a few hundred."""


class CachedFunction(Protocol[R_co]):
    """A cached function, with the interface of ``functools.lru_cache``."""

    def __call__(self, *args: Hashable) -> R_co: ...
    def cache_clear(self) -> None: ...
    def cache_info(self) -> Any: ...


def bounded_cache(entries: int, longest: int = LONGEST) -> Callable[[Callable[..., R_co]], CachedFunction[R_co]]:
    """Decorator: cache a function's latest ``entries`` calls, except those with more than ``longest`` characters.

    So the keys of a cache have at most ``entries * longest`` characters. Arguments are texts, tuples of texts, or small values.
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
    """Number of characters of all texts in a tuple; optimised for speed, as some functions are called for each event."""
    count = 0
    for value in values:
        if value.__class__ is str:
            count += len(value)
        elif value is not None and isinstance(value, tuple):
            count += _characters(value)
    return count
