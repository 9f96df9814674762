"""The enricher contract: an Arrow table in, an Arrow table out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa


class Files(Protocol):
    """Access to files by local path or s3:// URI, with the settings of the pipeline."""

    def local_copy(self, uri: str) -> Path:
        """A local copy of a file or object, fetched once per machine and version, then reused."""

    def read_text(self, uri: str) -> str:
        """The content of a text file."""

    def list_files(self, uri: str) -> list[str]:
        """URIs of the files directly in a folder, sorted; [] if there is no such folder."""

    def list_folders(self, uri: str) -> list[str]:
        """URIs of the folders directly in a folder, sorted; [] if there is no such folder."""


@runtime_checkable
class Enricher(Protocol):
    """Adds columns to tables of events. Created as ``Class(**options)`` when the configuration is checked, and in each worker.

    The input table has every column of ``event`` that a transformer fills, and the transient columns of :data:`TRANSIENT`. The
    result has the same rows in the same order; columns that are not in the contract of ``event`` are dropped. Work on distinct
    values, then take. A value that cannot be looked up is null: never raise an exception because of data.

    A class may also have these members, which are found by name:

    ``Options``
        A pydantic model: the options are validated by it (every problem is shown with its path in the configuration) and the
        class is created as ``Class(options)``.
    ``files`` as a parameter of ``__init__``
        Receives a :class:`Files`.
    ``FILLS`` and ``NEEDS``
        Names of columns: those that it fills, and those that another enricher has to fill first. The order of enrichers in the
        configuration is checked against them.
    ``info()``
        Information about its data, such as a database's build date, as JSON values for ``run_metrics``; called after ``open``.
    ``failed``
        Number of values that it could not enrich since it was opened, for ``run_metrics``.
    ``counts``
        Further counters since it was opened, a dictionary of name to number, for ``run_metrics``.
    """

    def open(self) -> None:
        """Load databases and rules; called once per run in the driver, before any data is read, and once per worker.

        Raises:
            ConfigError: a file is missing or invalid; the message lists every problem with its location.
        """

    def enrich(self, events: pa.Table) -> pa.Table:
        """Return the events with the columns that it fills; called once per table of a few thousand events."""
        ...


EnricherInfo = dict[str, Any]

TRANSIENT = ("ua", "ip", "client_hints", "is_filtered")
"""Columns that are not stored: the User-Agent and address headers of the request, the client hints of the browser (JSON object),
and one that an enricher sets to true for events that are to be left out, and counted as ``filtered``."""
