"""Buckets: the rows of a partition are divided into files by a hash of their user or item.

A bucket is the set of ids whose hash, modulo a power of two, is a number. Both are in the names of its files
(``b064-017-….parquet``: the ids with 17 as the remainder of 64), so that an upsert reads and rewrites the files of the ids that
change, and no other. A bucket that grows too large is split when it is rewritten, into buckets of a multiple of its modulus; the
moduli of one partition may therefore differ. A file without such a name, which an older layout or another program wrote, belongs
to every bucket. Readers see none of this. Model: the bucket index of Hudi (RFC-29, RFC-42).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from streaming_app.lake.files import DataFile
from streaming_app.lake.hashes import IdHashes, stable_hashes
from streaming_app.lake.lake import Lake
from streaming_app.lake.parquet import PartitionWriter
from streaming_app.lake.rows import RowMask
from streaming_app.model.tables import Table

BUCKET_BYTES = 64 << 20
"""Stored bytes of a bucket from which on it is split."""
BUCKET_ROWS = 600_000
"""Rows of a bucket from which on it is split: rewriting that many costs about 2 CPU-s."""

_NAME = re.compile(r"(?:^|/)b(\d+)-(\d+)-[^/]*$")


class Bucket(NamedTuple):
    """The ids whose hash has the remainder ``number`` when it is divided by ``modulus``, a power of two."""

    modulus: int = 1
    number: int = 0

    def overlaps(self, other: Bucket) -> bool:
        """Whether an id can be in both buckets: then one of them includes the other."""
        return (self.number - other.number) % min(self.modulus, other.modulus) == 0

    def mask(self, hashes: IdHashes) -> RowMask:
        """Which ids are in the bucket."""
        return np.equal(remainders(hashes, self.modulus), self.number)


ALL_IDS = Bucket()
"""The bucket of all ids."""


def remainders(hashes: IdHashes, modulus: int) -> IdHashes:
    """The number of each id's bucket."""
    return hashes & np.uint64(modulus - 1)


def bucket_of(file: DataFile) -> Bucket:
    """The bucket of a data file, by its name."""
    matched = _NAME.search(file.path)
    return Bucket(int(matched[1]), int(matched[2])) if matched else ALL_IDS


def hash_column(rows: pa.Table, table: Table) -> IdHashes:
    """The hashes of the ids by which the table is bucketed."""
    return stable_hashes(rows[table.bucket_by])


def files_with_ids(files: Iterable[DataFile], ids: Mapping[str, pa.Array]) -> list[DataFile]:
    """The files that can have a row with one of the ids of their app, by their names."""
    hashes = {app_id: stable_hashes(pa.chunked_array([values])) for app_id, values in ids.items()}
    numbers: dict[tuple[str, int], set[int]] = {}
    found = []
    for file in files:
        app_id, bucket = file.app_id, bucket_of(file)
        if app_id in hashes:
            key = app_id, bucket.modulus
            if key not in numbers:
                numbers[key] = set(remainders(hashes[app_id], bucket.modulus).tolist())
            if bucket.number in numbers[key]:
                found.append(file)
    return found


def modulus_for(size: float, rows: float) -> int:
    """The smallest modulus whose buckets of so many bytes and rows together are not too large."""
    modulus = 1
    while size / modulus > BUCKET_BYTES or rows / modulus > BUCKET_ROWS:
        modulus *= 2
    return modulus


class BucketWriter:
    """Writes rows of a bucketed table, a file for each partition and bucket; call :meth:`add`, then :meth:`close` once."""

    def __init__(self, lake: Lake, table: Table) -> None:
        self._table = table
        self._writer = PartitionWriter(table, lake.uri(table), lake.storage, table.name)

    def add(self, rows: pa.Table, bucket: Bucket) -> None:
        """Add rows that are all in one bucket."""
        self._writer.add(rows, f"b{bucket.modulus:03d}-{bucket.number:03d}")

    def divide(self, rows: pa.Table, modulus: int) -> None:
        """Add rows of any ids to the buckets of a modulus."""
        if modulus == 1:
            self.add(rows, ALL_IDS)
            return
        numbers = remainders(hash_column(rows, self._table), modulus)
        for number in np.unique(numbers).tolist():
            self.add(rows.filter(pa.array(numbers == number)), Bucket(modulus, number))

    def close(self) -> list[DataFile]:
        """Finish all files; returns one description each."""
        return self._writer.close()
