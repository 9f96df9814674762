"""Looking at what a user's own transformer yields before it meets the columns: a wrong type is one element's problem."""

from __future__ import annotations

from typing import Any

import msgspec

from streaming_app.errors import Reason
from streaming_app.model.change import Change
from streaming_app.model.columns import columns_of
from streaming_app.model.event import REQUIRED, Event
from streaming_app.transformers.base import Rejected

_JSON_COLUMNS = {kind: tuple(each.name for each in columns_of(kind) if each.is_json) for kind in (Event, Change)}


def checked(result: Any) -> Event | Change | Rejected:
    """The result itself where it keeps the contract, else why it is rejected. Costs some 20 µs, so built-ins are trusted."""
    if isinstance(result, Rejected):
        return _cleaned(result)
    if not isinstance(result, Event | Change):
        return _wrong(f"the transformer yielded a {type(result).__name__}, not an Event", None)
    kind = type(result)
    position = _position(result.position)
    try:
        msgspec.convert(msgspec.structs.asdict(result), kind)
        for item in getattr(result, "items", None) or ():
            msgspec.convert(msgspec.structs.asdict(item), type(item))
        for name in _JSON_COLUMNS[kind]:
            if (text := getattr(result, name)) is not None and not isinstance(msgspec.json.decode(text), dict):
                return _wrong(f"{name} is no JSON object", position)
        msgspec.json.encode(result.notes)
    except (msgspec.MsgspecError, TypeError, RecursionError) as error:
        return _wrong(f"the transformer yielded a {kind.__name__} with a wrong value: {error}", position)
    if missing := [name for name in _required(result) if getattr(result, name) in (None, "")]:
        return Rejected(Reason.MALFORMED_EVENT, f"{', '.join(missing)} missing", position)
    return result


def _required(result: Event | Change) -> tuple[str, ...]:
    """What it must have: a change also whose attributes it changes."""
    if isinstance(result, Event):
        return REQUIRED
    return (*REQUIRED, "item_id" if str(result.event_name).startswith("item") else "user_pseudo_id")


def _cleaned(rejected: Rejected) -> Rejected:
    """The same with values that fit ``quarantine``."""
    known = isinstance(rejected.reason, str) and rejected.reason in set(Reason)
    reason = Reason(rejected.reason) if known else Reason.TRANSFORMER_ERROR
    error_class = None if rejected.error_class is None else str(rejected.error_class)
    return Rejected(reason, str(rejected.message), _position(rejected.position), error_class)


def _position(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _wrong(message: str, position: int | None) -> Rejected:
    return Rejected(Reason.TRANSFORMER_ERROR, message, position, "TypeError")
