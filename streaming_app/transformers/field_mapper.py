"""From the keys of a client's JSON objects to the columns of an event: one mapper for all transformers.

A transformer says in key tables which key fills which column; a :class:`FieldMapper` made of them reads an
object. It fills a row, a list of all fields of an event, as that is the fastest: positions are worked out once, in here, and the
row becomes an :class:`Event` as soon as the keys are in their columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from streaming_app.errors import InputError
from streaming_app.model.coerce import COERCE, as_int
from streaming_app.model.event import Event
from streaming_app.plugins.payload import decode_tolerantly

KeyTable = Mapping[str, tuple[str, type]]
"""Key to its column and the column's type: ``str``, ``int``, ``float`` or ``bool``."""

UnreadableValues = dict[str, Any]
"""Key to what was sent, for ``process_info``."""

PRESETS = {"page_view": "_page_view", "login": "_profile_set", "user_engagement": "_user_engagement", "click": "_click"}
"""Event names of other clients to the preset events of the Clickstream SDK (the reference system's mapping); others stay."""

Row = list[Any]
"""The fields of one event in the order of :class:`Event`: ``Event(*row)``."""

_BLANK: Row = [None] * len(Event.__struct_fields__)
_POSITIONS = {column: position for position, column in enumerate(Event.__struct_fields__)}

_NO_KEYS: KeyTable = MappingProxyType({})


class _CheckedInteger:
    """Type of a column whose integers are compared with 64 bits: no JSON value has this class, so each is coerced."""


class _Kept:
    """Type of a key that stays a custom parameter: no JSON value has this class."""


class _Postponed:
    """Type of a key that is read after the others: no JSON value has this class."""


_COERCE = COERCE | {_CheckedInteger: as_int}


class FieldMapper:
    """Puts the values of JSON objects of one kind into the columns of events."""

    def __init__(
        self,
        consumed: KeyTable,
        *,
        kept: KeyTable = _NO_KEYS,
        fallbacks: KeyTable = _NO_KEYS,
        postponed: Iterable[str] = (),
        check_integers: bool = False,
    ) -> None:
        """Key tables by what becomes of a key; a key is in one of them at most.

        Args:
            consumed: keys that become a column and no custom parameter.
            kept: keys that become a column and stay custom parameters.
            fallbacks: keys that fill their column where no other key did.
            postponed: keys that are left to the caller, once the others are in their columns.
            check_integers: integers beyond 64 bits are unreadable; else they are left to whoever writes the column.
        """

        def target(column: str, kind: type) -> tuple[int, type]:
            return _POSITIONS[column], _CheckedInteger if check_integers and kind is int else kind

        self._targets = {key: target(*table) for key, table in consumed.items()}
        self._targets |= dict.fromkeys(kept, (-1, _Kept)) | dict.fromkeys((*fallbacks, *postponed), (-1, _Postponed))
        self._kept = {key: target(*table) for key, table in kept.items()}
        self._fallbacks = {key: (_POSITIONS[column], kind) for key, (column, kind) in fallbacks.items()}

    def fill(self, row: Row, source: dict[str, Any], custom: dict[str, Any], unreadable: UnreadableValues) -> dict[str, Any]:
        """Put each known key of ``source`` into its column and each unknown one into ``custom``.

        Returns the fallbacks and the postponed keys, as they were sent. The first loop runs some forty times per event: one
        look-up and one type comparison for the ordinary key.
        """
        postponed: dict[str, Any] = {}
        target_of = self._targets.get
        for key, value in source.items():
            target = target_of(key)
            if target is None:
                custom[key] = value
                continue
            position, kind = target
            if value.__class__ is kind:
                row[position] = value
                continue
            if kind is _Postponed:
                postponed[key] = value
                continue
            if kind is _Kept:
                custom[key] = value
                position, kind = self._kept[key]
                if value.__class__ is kind:
                    row[position] = value
                    continue
            if value is not None and (read := coerce_value(kind, key, value, unreadable)) is not None:
                row[position] = read
        for key, value in postponed.items():
            fallback = self._fallbacks.get(key)
            if fallback is not None and value is not None and row[fallback[0]] is None:
                row[fallback[0]] = coerce_value(fallback[1], key, value, unreadable)
        return postponed


def new_row() -> Row:
    """A row without any value."""
    return _BLANK.copy()


def key_positions(columns: Mapping[str, str]) -> list[tuple[str, int]]:
    """Keys with the positions of their columns (key to column) in a row."""
    return [(key, _POSITIONS[column]) for key, column in columns.items()]


def coerce_value(kind: type, key: str, value: Any, unreadable: UnreadableValues) -> Any:
    """The value in its column's type; None where there is none, and, with a note, where it cannot be read."""
    read = None if value is None else _COERCE[kind](value)
    if read is None and value not in (None, "", "null"):
        unreadable[key] = value
    return read


def read_object(key: str, source: dict[str, Any], unreadable: UnreadableValues) -> dict[str, Any]:
    """An object, also where it was sent as JSON text; {} where there is none, and, with a note, where it is something else."""
    value = source.get(key)
    if isinstance(value, dict):
        return value
    if isinstance(value, str) and value[:1] == "{":
        with suppress(InputError):
            return decode_tolerantly(value.encode())
    if value not in (None, ""):
        unreadable[key] = value
    return {}
