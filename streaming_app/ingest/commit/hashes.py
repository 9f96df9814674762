"""Hashes of ids, 8 bytes each: a set of millions of ids takes a gigabyte. Ids that share a hash are compared later."""

from __future__ import annotations

import numpy as np

from streaming_app.lake.hashes import IdHashes
from streaming_app.lake.rows import RowMask


def isin_sorted(hashes: IdHashes, known: IdHashes) -> RowMask:
    """Per hash, whether it is in ``known``, which is in ascending order."""
    if not len(known):
        return np.zeros(len(hashes), bool)
    positions = np.searchsorted(known, hashes)
    return np.asarray(known[np.minimum(positions, len(known) - 1)] == hashes)


def duplicates_in_sorted(hashes: IdHashes) -> IdHashes:
    """The hashes that occur more than once; input and result are in ascending order."""
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
