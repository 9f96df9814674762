"""From the keys of a client's JSON objects to the columns of an event: one mapper for all transformers.

A transformer says in key tables which key fills which column; a :class:`FieldMapper` made of them fills an :class:`Event` from an
object. An event is filled by name: an attribute of a struct costs no more than a position in a list, and a type checker reads it.
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

_NO_KEYS: KeyTable = MappingProxyType({})


class _CheckedInteger:
    """Type of a column whose integers are compared with 64 bits: no JSON value has this class, so each is coerced."""


class _Postponed:
    """Type of a key that is read after the others: no JSON value has this class."""


_COERCE = COERCE | {_CheckedInteger: as_int}


class FieldMapper:
    """Fills the columns of events from JSON objects of one kind."""

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
            postponed: keys that the caller reads himself, once the others are in their columns.
            check_integers: integers beyond 64 bits are unreadable; else they are left to whoever writes the column.
        """

        def column_type(kind: type) -> type:
            return _CheckedInteger if check_integers and kind is int else kind

        self._targets: dict[str, tuple[str, type, bool]] = {
            **{key: (column, column_type(kind), False) for key, (column, kind) in consumed.items()},
            **{key: (column, column_type(kind), True) for key, (column, kind) in kept.items()},
            **dict.fromkeys((*fallbacks, *postponed), ("", _Postponed, False)),
        }
        self._fallbacks = dict(fallbacks)

    def fill(self, event: Event, source: dict[str, Any], custom: dict[str, Any], unreadable: UnreadableValues) -> dict[str, Any]:
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
            column, kind, is_kept = target
            if is_kept:
                custom[key] = value
            if value.__class__ is kind:
                setattr(event, column, value)
            elif kind is _Postponed:
                postponed[key] = value
            elif value is not None and (read := coerce_value(kind, key, value, unreadable)) is not None:
                setattr(event, column, read)
        for key, value in postponed.items():
            fallback = self._fallbacks.get(key)
            if fallback is not None and value is not None and getattr(event, fallback[0]) is None:
                setattr(event, fallback[0], coerce_value(fallback[1], key, value, unreadable))
        return postponed


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
