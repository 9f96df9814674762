"""The enricher contract: an Arrow table in, an Arrow table out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import pyarrow as pa


@runtime_checkable
class Enricher(Protocol):
    """Made once as ``Class(**options)`` where the configuration is checked, and again in each worker.

    The table given has every column of ``event`` that a transformer fills, and the transient columns ``ua`` and ``ip``.
    The table returned has the same rows in the same order; columns that are not in the contract of ``event`` are dropped.
    Work on distinct values, then take. A value that cannot be looked up is null: never raise for data.
    """

    def open(self) -> None:
        """Load databases; called once per worker, before the first table."""

    def enrich(self, events: pa.Table) -> pa.Table: ...
