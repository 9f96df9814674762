"""Every error a user can meet, each with a one-line hint, and every reason an element can be quarantined for."""

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
    """Of a user, not an element: its rows of ``user`` and ``session`` cannot be computed."""
    UNREADABLE_FILE = "unreadable_file"


class ClickstreamError(Exception):
    """Base of all errors that are shown as one line with a hint; ``exit_code`` is the process's exit code."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(ClickstreamError):
    """The configuration cannot be used; the message lists every problem found."""

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
    """The storage did not do what it should, which says nothing of the one file at hand: no file is set aside for it."""


class LeaseError(ClickstreamError):
    """Another process writes to the tables, or may do so by now."""

    exit_code = 8


class PluginError(ClickstreamError):
    """A user's own code failed where it is not one element's problem."""

    exit_code = 7


class MissingDependencyError(ClickstreamError):
    """Java, a jar or a library that the job needs is missing."""

    exit_code = 5


class BalanceError(ClickstreamError):
    """A batch's counts do not add up: nothing of it was committed."""

    exit_code = 6


class InputError(ValueError):
    """Bad input: never fails a batch, becomes a row in ``quarantine``."""

    reason = Reason.MALFORMED_EVENT


class MalformedLine(InputError):
    """A raw line that is not a JSON object."""

    reason = Reason.MALFORMED_LINE


class MalformedPayload(InputError):
    """A request whose ``data`` holds no events that could be told apart."""

    reason = Reason.MALFORMED_PAYLOAD


class TooLarge(InputError):
    """Something beyond a limit of the configuration."""

    reason = Reason.TOO_LARGE
