"""The enricher contract: an Arrow table in, an Arrow table out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa


class Files(Protocol):
    """Where enrichers get files from, by local path or s3:// URI, with the settings of the pipeline."""

    def local_copy(self, uri: str) -> Path:
        """A local file with the object's content: fetched once per machine and version of the object, then reused."""

    def read_text(self, uri: str) -> str:
        """The content of a text file."""

    def list_files(self, uri: str) -> list[str]:
        """URIs of the files directly in a folder, sorted; [] where there is no such folder."""

    def list_folders(self, uri: str) -> list[str]:
        """The same of the folders in it."""


@runtime_checkable
class Enricher(Protocol):
    """Made once as ``Class(**options)`` where the configuration is checked, and again in each worker.

    The table given has every column of ``event`` that a transformer fills, and the transient columns of
    :data:`TRANSIENT`. The table returned has the same rows in the same order; columns that are not in the contract of
    ``event`` are dropped. Work on distinct values, then take. A value that cannot be looked up is null: never raise for data.

    What else a class may have, each found by its name:

    ``Options``
        A pydantic model: the options are validated by it (every problem is shown with its place in the configuration) and
        the class is made as ``Class(options)``.
    ``files`` as a parameter of ``__init__``
        Receives a :class:`Files`.
    ``FILLS`` and ``NEEDS``
        Names of columns: those that it fills, and those that another enricher has to fill first. The order in the
        configuration is checked by them.
    ``info()``
        JSON-able facts about what it works with (a database's build date), for ``run_metrics``; called after ``open``.
    ``failed``
        How many values it could not enrich since it was opened, for ``run_metrics``.
    ``counts``
        What else it counted since it was opened, a dictionary of name to number, for ``run_metrics``.
    """

    def open(self) -> None:
        """Load databases and rules; called once per run in the driver, before any data is touched, and once per worker.

        Raises:
            ConfigError: a file is missing or wrong; the message lists every problem with its place.
        """

    def enrich(self, events: pa.Table) -> pa.Table:
        """The events with the columns that it fills; called once per table of some thousand events."""
        ...


EnricherInfo = dict[str, Any]

TRANSIENT = ("ua", "ip", "client_hints", "is_filtered")
"""Columns that no table has: the User-Agent and address header of the request, the client's own hints about its browser
(JSON object), and what an enricher sets true where an event is to be left out, and counted as ``filtered``."""
