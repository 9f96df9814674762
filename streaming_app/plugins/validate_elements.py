"""Validates the results of custom transformers, so that a wrong type fails one element only."""

from __future__ import annotations

from typing import Any

import msgspec

from streaming_app.errors import Reason
from streaming_app.model.change import Change
from streaming_app.model.columns import columns_of
from streaming_app.model.event import REQUIRED, Event
from streaming_app.model.item import Item
from streaming_app.plugins.depth import check_depth
from streaming_app.plugins.transformer import Rejected

_JSON_COLUMNS = {kind: tuple(each.name for each in columns_of(kind) if each.is_json) for kind in (Event, Change, Item)}


MAX_NOTES_DEPTH = 64
"""Maximum nesting of notes, which are parsed again whenever a note is added."""


class _Attribute(msgspec.Struct):
    """A user attribute; without a set time, it counts as set at the time of its event."""

    value: Any
    set_time_msec: int | None = None


_SHAPES: dict[str, tuple[Any, str]] = {"user_properties_json_str": (dict[str, _Attribute], "{name: {value, set_time_msec}}")}
"""JSON columns with a structure of their own: its type, and its description in messages."""


def validate_result(result: Any, plugin: str) -> Event | Change | Rejected:
    """Return the result if it keeps the contract, else a rejection whose message names the ``plugin``.

    This takes about 20 µs, so it is skipped for built-in plugins.
    """
    if isinstance(result, Rejected):
        return _clean_rejected(result, plugin)
    # A subclass may have further fields, which have no column.
    if not isinstance(result, Event | Change) or type(result) not in (Event, Change):
        return _wrong(f"{plugin} yielded {_a(result)}, not an Event, a Change or a Rejected", None)
    result.position = _position(result.position)
    try:
        problem = _problem(result)
    except Exception as error:  # a plugin's value may raise anything when it is read
        problem = f"with a wrong value: {error}"
    if problem:
        return _wrong(f"{plugin} yielded {_a(result)} {problem}", result.position)
    if missing := [name for name in _required_fields(result) if getattr(result, name) in (None, "")]:
        return Rejected(Reason.MALFORMED_EVENT, f"{', '.join(missing)} missing", result.position)
    return result


def json_problem(name: str, text: str) -> str | None:
    """The problem of a text for a JSON column, None if there is none."""
    shape, meaning = _SHAPES.get(name, (dict[str, Any], "JSON object"))
    try:
        msgspec.json.decode(text, type=shape)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return f"whose {name} is no {meaning}"
    return None


def _problem(result: Event | Change) -> str | None:
    items = getattr(result, "items", None) or ()
    if strange := next((item for item in items if type(item) is not Item), None):
        return f"with {_a(strange)} among its items"
    for row in (result, *items):
        msgspec.convert(msgspec.structs.asdict(row), type(row))
    texts = ((name, getattr(row, name)) for row in (result, *items) for name in _JSON_COLUMNS[type(row)])
    problems = (json_problem(name, text) for name, text in texts if text is not None)
    msgspec.json.encode(result.notes)
    check_depth(result.notes or {}, MAX_NOTES_DEPTH)
    return next((problem for problem in problems if problem), None)


def _required_fields(result: Event | Change) -> tuple[str, ...]:
    """The required fields; for a change this includes the id of the user or item."""
    if isinstance(result, Event):
        return REQUIRED
    return (*REQUIRED, "item_id" if str(result.event_name).startswith("item") else "user_pseudo_id")


def _clean_rejected(rejected: Rejected, plugin: str) -> Rejected:
    """The rejection with values that fit the columns of ``quarantine``."""
    known = isinstance(rejected.reason, str) and rejected.reason in set(Reason)
    reason = Reason(rejected.reason) if known else Reason.TRANSFORMER_ERROR
    position = _position(rejected.position)
    try:
        error_class = None if rejected.error_class is None else str(rejected.error_class)
        return Rejected(reason, str(rejected.message), position, error_class)
    except Exception:
        return _wrong(f"{plugin} yielded a Rejected whose message is no text", position)


def _position(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _wrong(message: str, position: int | None) -> Rejected:
    return Rejected(Reason.TRANSFORMER_ERROR, message, position, "TypeError")


def _a(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
