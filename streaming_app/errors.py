"""Every error a user can meet, with its exit code, and every reason an element can be quarantined for.

::

    ClickstreamError                1   shown as one line with a hint; also any error that has no code of its own
    ├── ConfigError                 2   the configuration cannot be used
    ├── QueryError                  2   a table or a query that does not exist or is not understood
    ├── SourceError                 3   the source cannot be read at all
    ├── SinkError                   4   a table or checkpoint cannot be read or written
    │   └── StorageError            4   the storage failed, whatever file was being read
    ├── MissingDependencyError      5   Java, a jar or a library is missing
    ├── BalanceError                6   counts do not add up: nothing was committed
    ├── PluginError                 7   a hook or plugin of the user failed
    └── LockError                   8   another process writes to the tables

    InputError (ValueError)         -   bad input: a row in ``quarantine``, never the end of a run
    ├── MalformedLine
    ├── MalformedPayload
    └── TooLarge
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why an element is in ``quarantine`` (the values are part of the table's contract)."""

    MALFORMED_LINE = "malformed_line"
    MALFORMED_PAYLOAD = "malformed_payload"
    MALFORMED_EVENT = "malformed_event"
    UNKNOWN_APP = "unknown_app"
    TOO_LATE = "too_late"
    IN_FUTURE = "in_future"
    TOO_LARGE = "too_large"
    TRANSFORMER_ERROR = "transformer_error"
    DERIVE_ERROR = "derive_error"
    """Of a user, not of an element: its rows of ``user`` and ``session`` cannot be computed."""
    UNREADABLE_FILE = "unreadable_file"


class ClickstreamError(Exception):
    """Base of all errors that are shown as one line with a hint.

    Args:
        message: what is wrong, one line or more.
        hint: the remedy, one line; empty where there is none.
    """

    exit_code = 1
    """Exit code of the process that the error ends."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(ClickstreamError):
    """The configuration, or an option of a command, cannot be used; the message lists every problem found."""

    exit_code = 2


class QueryError(ClickstreamError):
    """A table or a query that cannot be understood."""

    exit_code = 2


class SourceError(ClickstreamError):
    """The source cannot be read at all (a single unreadable file is quarantined instead)."""

    exit_code = 3


class SinkError(ClickstreamError):
    """A table or checkpoint cannot be read or written."""

    exit_code = 4


class StorageError(SinkError):
    """The storage failed in a way that says nothing about the file being read: no file is set aside for it."""


class MissingDependencyError(ClickstreamError):
    """Java, a jar or a library that the job needs is missing."""

    exit_code = 5


class BalanceError(ClickstreamError):
    """A batch's counts do not add up: nothing of it was committed."""

    exit_code = 6


class PluginError(ClickstreamError):
    """A user's own code failed where that is not one element's problem."""

    exit_code = 7


class LockError(ClickstreamError):
    """Another process writes to the tables, or may do so by now."""

    exit_code = 8


class InputError(ValueError):
    """Bad input: never fails a batch, becomes a row in ``quarantine``."""

    reason = Reason.MALFORMED_EVENT


class MalformedLine(InputError):
    """A raw line that is not a JSON object."""

    reason = Reason.MALFORMED_LINE


class MalformedPayload(InputError):
    """A request whose ``data`` holds no events that could be separated."""

    reason = Reason.MALFORMED_PAYLOAD


class TooLarge(InputError):
    """Something beyond a limit of the configuration."""

    reason = Reason.TOO_LARGE
