"""Opening databases in MaxMind's format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import maxminddb

from streaming_app.enrichers.base import Files, Info
from streaming_app.enrichers.ip.layouts import Fields, fields, read_record
from streaming_app.enrichers.ip.options import DatabaseOptions, IpOptions
from streaming_app.errors import ClickstreamError, ConfigError

_PROBED = 1_000
"""Networks in which a database of use has something that was asked for."""

_UNREADABLE = "fetch one, from MaxMind or DB-IP for example, or leave it out: the columns then keep what clients sent"
_MALFORMED = "give a .mmdb file itself, not the archive it came in"


@dataclass(frozen=True)
class Database:
    """An open database. ``of_use``: its first networks have something that was asked for."""

    reader: maxminddb.Reader
    fields: Fields
    has_v6: bool
    info: Info
    of_use: bool


def open_databases(options: IpOptions, columns: Iterable[str], files: Files) -> list[Database]:
    """The configured databases in their order, mapped into memory.

    Raises:
        ConfigError: some cannot be opened; the message has a line for each.
    """
    opened, problems = [], []
    for each in options.database:
        try:
            opened.append(_open(each, fields(columns, options.language, each.fields), files))
        except (OSError, ClickstreamError) as error:
            problems.append(f"{each.uri}: cannot be read ({_line(error)}); {_UNREADABLE}")
        except (maxminddb.InvalidDatabaseError, ValueError, OverflowError) as error:
            problems.append(f"{each.uri}: not a database in MaxMind's format ({_line(error)}); {_MALFORMED}")
    if problems:
        for database in opened:
            database.reader.close()
        raise ConfigError("\n".join(problems))
    return opened


def _open(options: DatabaseOptions, wanted: Fields, files: Files) -> Database:
    reader = maxminddb.open_database(files.local_copy(options.uri))
    facts = reader.metadata()
    built = datetime.fromtimestamp(facts.build_epoch, UTC).isoformat()
    info = {"uri": options.uri, "type": facts.database_type, "built": built}
    of_use = any(read_record(record, wanted) for _, record in islice(reader, _PROBED))
    return Database(reader, wanted, facts.ip_version == 6, info, of_use)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
