"""Opens databases in MaxMind's format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import maxminddb

from streaming_app.enrichers.ip.editions import Edition, edition_type_of
from streaming_app.enrichers.ip.layouts import FieldPaths, field_paths, read_record
from streaming_app.enrichers.ip.options import DatabaseOptions, IpOptions
from streaming_app.errors import ClickstreamError, ConfigError
from streaming_app.plugins.enricher import EnricherInfo, Files

_PROBED = 1_000
"""Number of networks that are searched for a wanted value when a database is opened."""

_UNREADABLE = "fetch one, from MaxMind or DB-IP for example, or leave it out: the columns then keep what clients sent"
_MALFORMED = "give a .mmdb file itself, not the archive it came in"


@dataclass(frozen=True)
class Database:
    """An open database. ``read`` gives values by column for an address in canonical text, and raises for a damaged record;
    ``has_wanted``: its first networks have something that was asked for.
    """

    read: Callable[[str], dict[str, Any]]
    close: Callable[[], None]
    has_v6: bool
    info: EnricherInfo
    has_wanted: bool


def open_databases(options: IpOptions, columns: Sequence[str], files: Files) -> list[Database]:
    """The configured databases in their order, mapped into memory.

    Raises:
        ConfigError: some cannot be opened; the message has a line for each.
    """
    opened, problems = [], []
    for each in options.database:
        try:
            opened.append(_open(each, columns, options.language, files))
        except (OSError, ClickstreamError) as error:
            problems.append(f"{each.uri}: cannot be read ({_one_line(error)}); {_UNREADABLE}")
        except (maxminddb.InvalidDatabaseError, ValueError, OverflowError) as error:
            problems.append(f"{each.uri}: not a database in MaxMind's format ({_one_line(error)}); {_MALFORMED}")
    if problems:
        for database in opened:
            database.close()
        raise ConfigError("\n".join(problems))
    return opened


def _open(options: DatabaseOptions, columns: Sequence[str], language: str, files: Files) -> Database:
    path = files.local_copy(options.uri)
    path_reader = _PathReader(path, field_paths(columns, language, options.fields))
    facts = path_reader.reader.metadata()
    built = datetime.fromtimestamp(facts.build_epoch, UTC).isoformat()
    info = {"uri": options.uri, "type": facts.database_type, "built": built}
    sample = path_reader.first_useful_address()
    kind = None if options.fields else edition_type_of(facts.database_type)
    if kind and sample:
        edition = Edition(path, kind, columns, (language, "en"))
        if _serves(edition, sample):
            path_reader.close()
            return Database(edition.read, edition.close, facts.ip_version == 6, info, has_wanted=True)
        edition.close()
    return Database(path_reader.read, path_reader.close, facts.ip_version == 6, info, has_wanted=sample is not None)


class _PathReader:
    """Reads a database of any layout by the paths of values in its records."""

    def __init__(self, path: Path, wanted: FieldPaths) -> None:
        self.reader, self._wanted = maxminddb.open_database(path), wanted
        self.close = self.reader.close

    def read(self, address: str) -> dict[str, Any]:
        return read_record(self.reader.get(address), self._wanted)

    def first_useful_address(self) -> str | None:
        """An address of the first network with a wanted value; None if none of the first networks has one."""
        first = islice(self.reader, _PROBED)
        return next((str(network[0]) for network, record in first if read_record(record, self._wanted)), None)


def _serves(edition: Edition, address: str) -> bool:
    """Whether the records are laid out as MaxMind's are: flat copies of its databases have its names, too."""
    try:
        return bool(edition.read(address))
    except (TypeError, AttributeError):
        return False


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
