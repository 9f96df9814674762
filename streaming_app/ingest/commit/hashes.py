"""Sets of hashes, 8 bytes each: a set of millions of ids takes a gigabyte. Ids that share a hash are compared later."""

from __future__ import annotations

from typing import Any

import numpy as np

from streaming_app.lake.hashes import IdHashes
from streaming_app.lake.rows import RowMask

_SLOTS = 16
"""Slots of a table per known hash: one in so many hashes that are not known passes it."""
_BLOCK = 32_768
"""Hashes that are looked up at a time: they stay in the processor's cache."""


def isin_sorted(hashes: IdHashes, known: IdHashes) -> RowMask:
    """Per hash, whether it is in ``known``, which is in ascending order."""
    if not len(known):
        return np.zeros(len(hashes), bool)
    positions = np.searchsorted(known, hashes)
    return np.asarray(known[np.minimum(positions, len(known) - 1)] == hashes)


def duplicates_in_sorted(hashes: IdHashes) -> IdHashes:
    """The hashes that occur more than once; input and result are in ascending order."""
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])


class HashLookup:
    """Looks up many hashes among ``known`` ones, which are in ascending order; both are of the same range.

    A table of flags by the leading bits, which ascending hashes pass from its beginning to its end, rules out almost all; the
    others are searched for.
    """

    def __init__(self, known: IdHashes) -> None:
        self._known = known
        first, last = (int(known[0]), int(known[-1])) if len(known) else (0, 0)
        self._shift = np.uint64(max(((last - first) // (_SLOTS * max(len(known), 1))).bit_length(), 0))
        self._base = np.uint64(first >> int(self._shift))
        self._flags = np.zeros((last >> int(self._shift)) - int(self._base) + 1, bool)
        self._flags[(known >> self._shift) - self._base] = True

    def positions_in(self, hashes: IdHashes) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The positions of the known ones among some hashes, which are in ascending order."""
        if not len(self._known):
            return np.empty(0, np.int64)
        begin, end = np.searchsorted(hashes, self._known[0], "left"), np.searchsorted(hashes, self._known[-1], "right")
        found = [
            start + self._possible(hashes[start : min(start + _BLOCK, end)]) for start in range(int(begin), int(end), _BLOCK)
        ]
        possible = np.concatenate(found) if found else np.empty(0, np.int64)
        return possible[isin_sorted(hashes[possible], self._known)]

    def _possible(self, block: IdHashes) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.flatnonzero(self._flags[((block >> self._shift) - self._base).view(np.int64)])
