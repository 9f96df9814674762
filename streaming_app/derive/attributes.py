"""Computes the attributes of users and items from their changes in order of time, by the rules of Sensors Data.

New changes are folded onto the stored attributes if all of them are later than what was folded before. An increment or a first
value cannot be corrected afterwards by a change that arrives late: then all changes are folded again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import msgspec
import pyarrow as pa

ALL = "*"
"""Stands for a name: all attributes were deleted at that time."""

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
"""Columns of ``change`` that are read, in addition to app_id."""

Attributes = dict[str, dict[str, Any]]
"""Name to {value, set_time_msec}; the value is null if the attribute was unset or deleted."""


@dataclass(frozen=True)
class FoldedSoFar:
    """What the changes of one key made that were folded before: how many, and the time of the latest, epoch ms."""

    count: int = 0
    last_msec: int = -1
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True)
class Folded:
    """The result of the changes of one key; ``last`` is the latest change."""

    key: tuple[Any, ...]
    attributes: Attributes
    count: int
    last: dict[str, Any]


def fold(changes: pa.Table, *key: str, so_far: Mapping[tuple[Any, ...], FoldedSoFar] | None = None) -> Iterator[Folded]:
    """Fold changes by ``key``, one result for each.

    ``changes`` must include all changes of a key, or all that are new, which must then be later than those of ``so_far``.
    """
    rows = changes.sort_by([(name, "ascending") for name in (*key, "event_time_msec", "event_id")]).to_pylist()
    for found, group in groupby(rows, lambda row: tuple(row[name] for name in key)):
        before = (so_far or {}).get(found, FoldedSoFar())
        count = 0
        last: dict[str, Any] = {}
        state = _AttributeState(before.attributes)
        for count, last in enumerate(group, before.count + 1):  # noqa: B007 - both are used after the loop
            apply = _RULES[last["event_name"]]
            apply(state, _properties(last["properties_json_str"]), last["event_time_msec"])
        yield Folded(found, state.attributes(), count, last)


def _properties(text: str | None) -> dict[str, Any]:
    found = msgspec.json.decode(text) if text else {}
    return found if isinstance(found, dict) else {}


AttributeValues = dict[str, Any]


class _AttributeState:
    """The attributes while they are folded: the cost of a change depends on its own size, not on the number of attributes.

    Values are copies, so that lists can grow in place. When all attributes are deleted, their names are moved to a set and stay
    there until they get a value again: each name is moved at most once for each time that it was set.
    """

    def __init__(self, known: Attributes) -> None:
        self._known: Attributes = dict(known)
        self._deleted: set[str] = set()
        self._deleted_at = 0

    def value(self, name: str) -> Any:
        known = self._known.get(name)
        return None if known is None else known["value"]

    def put(self, name: str, value: Any, time: int) -> None:
        self._deleted.discard(name)
        self._known[name] = {"value": value, "set_time_msec": time}

    def has(self, name: str) -> bool:
        """Whether the attribute was ever set, even if it is deleted now."""
        return name in self._known or name in self._deleted

    def delete_all(self, time: int) -> None:
        self._deleted.update(self._known, (ALL,))
        self._known.clear()
        self._deleted_at = time

    def attributes(self) -> Attributes:
        return self._known | {name: {"value": None, "set_time_msec": self._deleted_at} for name in self._deleted}


def _set(state: _AttributeState, given: AttributeValues, time: int) -> None:
    for name, value in given.items():
        state.put(name, _clamp_number(value), time)


def _set_once(state: _AttributeState, given: AttributeValues, time: int) -> None:
    for name, value in given.items():
        if state.value(name) is None:
            state.put(name, _clamp_number(value), time)


def _increment(state: _AttributeState, given: AttributeValues, time: int) -> None:
    """Add amounts to values: an amount that is not a number is ignored, a value that is not a number counts as 0."""
    for name, amount in given.items():
        if _is_number(amount):
            known = state.value(name)
            state.put(name, _clamp_number((known if _is_number(known) else 0) + _clamp_number(amount)), time)


def _append(state: _AttributeState, given: AttributeValues, time: int) -> None:
    """Append elements to lists, including equal ones; a value that is not a list is replaced by a list."""
    for name, value in given.items():
        known = state.value(name)
        elements = known if isinstance(known, list) else []
        if isinstance(value, list):
            elements.extend(value)
        elif value is not None:
            elements.append(value)
        state.put(name, elements, time)


def _unset(state: _AttributeState, given: AttributeValues, time: int) -> None:
    for name in given:
        if state.has(name):
            state.put(name, None, time)


def _delete(state: _AttributeState, _: AttributeValues, time: int) -> None:
    state.delete_all(time)


_RULES: dict[str, Callable[[_AttributeState, AttributeValues, int], None]] = {
    "profile_set": _set,
    "profile_set_once": _set_once,
    "profile_increment": _increment,
    "profile_append": _append,
    "profile_unset": _unset,
    "profile_delete": _delete,
    "item_set": _set,
    "item_delete": _delete,
}

_INTEGERS = range(-(2**63), 2**64)
_LARGEST = sys.float_info.max


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _clamp_number(value: Any) -> Any:
    """A number that every JSON reader can represent: an integer beyond 64 bits as a float, at most the largest float."""
    if value.__class__ is int and value not in _INTEGERS:
        value = float(max(-int(_LARGEST), min(value, int(_LARGEST))))
    return max(-_LARGEST, min(value, _LARGEST)) if value.__class__ is float else value


def remaining(attributes: Attributes) -> Attributes:
    """The attributes that have a value."""
    return {name: each for name, each in sorted(attributes.items()) if each["value"] is not None}


def merge_attributes(from_events: Attributes, from_changes: Attributes) -> Attributes:
    """Merge attributes set by events with those set by changes: the newer of each, on a tie that of the change."""
    deleted = from_changes.get(ALL, {}).get("set_time_msec", -1)
    kept = {name: each for name, each in from_events.items() if _time(each) > max(deleted, _time(from_changes.get(name)))}
    return remaining({**from_changes, **kept})


def _time(attribute: dict[str, Any] | None) -> int:
    return -1 if attribute is None else attribute.get("set_time_msec") or 0
