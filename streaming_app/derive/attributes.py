"""What holds after all changes of attributes: each folded in the order of time, as Sensors Data defines its messages.

The whole log of a user's or an item's changes is folded again whenever a new one came: an increment or a first value cannot
be corrected later by what arrived too late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

ALL = "*"
"""In place of a name: all attributes were deleted then."""

LOG_COLUMNS = (
    "event_id",
    "event_name",
    "event_time_msec",
    "user_pseudo_id",
    "user_id",
    "item_type",
    "item_id",
    "properties_json_str",
)
"""What is read of ``change``, besides its app_id."""

Attributes = dict[str, dict[str, Any]]
"""Name to {value, set_time_msec}; the value null of one that was taken away."""


class Folded(NamedTuple):
    """What became of the changes of one key. ``as_of`` grows with every change; ``last`` is the latest one."""

    key: tuple[Any, ...]
    attributes: Attributes
    as_of: str
    last: dict[str, Any]


def fold(changes: pa.Table, *key: str) -> Iterator[Folded]:
    """One result per distinct ``key`` of some changes, which must be all that there are of it."""
    rows = changes.sort_by([(name, "ascending") for name in (*key, "event_time_msec", "event_id")]).to_pylist()
    for found, group in groupby(rows, lambda row: tuple(row[name] for name in key)):
        count = 0
        last: dict[str, Any] = {}
        attributes: Attributes = {}
        for count, last in enumerate(group, 1):  # noqa: B007 - both are of use after the loop
            _apply(attributes, last)
        yield Folded(found, attributes, f"{count:015d}\t{last['event_time_msec']:015d}", last)


def _apply(attributes: Attributes, change: dict[str, Any]) -> None:
    time, given = change["event_time_msec"], _properties(change["properties_json_str"])
    how = _RULES[change["event_name"]]
    for name, value in how(given, {name: each["value"] for name, each in attributes.items()}).items():
        attributes[name] = {"value": value, "set_time_msec": time}


def _properties(text: str | None) -> dict[str, Any]:
    found = msgspec.json.decode(text) if text else {}
    return found if isinstance(found, dict) else {}


Values = dict[str, Any]


def _set(given: Values, _: Values) -> Values:
    return given


def _set_once(given: Values, known: Values) -> Values:
    return {name: value for name, value in given.items() if known.get(name) is None}


def _increment(given: Values, known: Values) -> Values:
    """Numbers only: an amount that is none changes nothing, a value that is none counts as 0."""
    return {name: _number(known.get(name)) + value for name, value in given.items() if _is_number(value)}


def _append(given: Values, known: Values) -> Values:
    """Elements of a list, one after the other, equal ones too; a value that is no list gives way to one."""
    return {name: [*_elements(known.get(name), list), *_elements(value, object)] for name, value in given.items()}


def _unset(given: Values, known: Values) -> Values:
    return {name: None for name in given if name in known}


def _delete(_: Values, known: Values) -> Values:
    return dict.fromkeys((*known, ALL))


_RULES: dict[str, Callable[[Values, Values], Values]] = {
    "profile_set": _set,
    "profile_set_once": _set_once,
    "profile_increment": _increment,
    "profile_append": _append,
    "profile_unset": _unset,
    "profile_delete": _delete,
    "item_set": _set,
    "item_delete": _delete,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> int | float:
    return value if _is_number(value) else 0


def _elements(value: Any, kind: type) -> Iterable[Any]:
    if isinstance(value, list):
        return value
    return [value] if value is not None and kind is object else []


def remaining(attributes: Attributes) -> Attributes:
    """Those that have a value."""
    return {name: each for name, each in sorted(attributes.items()) if each["value"] is not None}


def applied(told: Attributes, changed: Attributes) -> Attributes:
    """Attributes that events told, after the changes: of each the newer, a change where both are equally new."""
    deleted = changed.get(ALL, {}).get("set_time_msec", -1)
    kept = {name: each for name, each in told.items() if _time(each) > max(deleted, _time(changed.get(name)))}
    return remaining({**changed, **kept})


def _time(attribute: dict[str, Any] | None) -> int:
    return -1 if attribute is None else attribute.get("set_time_msec") or 0
