"""Eight bytes in place of an id: of millions of ids a set takes a gigabyte. Ids that only look alike are told apart later."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Hashes: TypeAlias = "np.ndarray[Any, np.dtype[np.uint64]]"
Mask: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"


def among(hashes: Hashes, known: Hashes) -> Mask:
    """Which of the hashes are known; ``known`` is in ascending order."""
    if not len(known):
        return np.zeros(len(hashes), bool)
    places = np.searchsorted(known, hashes)
    return np.asarray(known[np.minimum(places, len(known) - 1)] == hashes)


def repeated(hashes: Hashes) -> Hashes:
    """Those that are there more than once, in ascending order; ``hashes`` are in ascending order."""
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
