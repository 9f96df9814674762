"""Hashes of ids, the same in every version and on every machine, so that they can be stored and can name files."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from streaming_app.lake.duckdb import query

IdHashes: TypeAlias = "np.ndarray[Any, np.dtype[np.uint64]]"
"""64 bits of each id."""


def stable_hashes(ids: pa.ChunkedArray) -> IdHashes:
    """The first half of the MD5 of each id; of a null, 0."""
    rows = pa.table({"id": ids})
    found = query("SELECT coalesce(md5_number_lower(id), 0) AS hash FROM rows", rows=rows)["hash"]
    return np.asarray(found.to_numpy(), np.uint64)
