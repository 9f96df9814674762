"""Bad payloads for tests of transformers: empty, not JSON, and good elements with a bad one among them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import islice
from typing import Any

import msgspec

from streaming_app.errors import InputError
from streaming_app.model.request import Request
from streaming_app.plugins.payload import payload_bytes
from streaming_app.plugins.transformer import Limits

_DEEP: Any = json.loads('{"a":[' * 200 + "1" + "]}" * 200)
_HUGE = 10**400

UNREADABLE: dict[str, str | None] = {
    "no payload": None,
    "an empty payload": "",
    "a blank payload": " \n",
    "garbage": "\x00\x01 garbage %%% \ufffd",
    "an array that is not closed": '[{"a": ',
    "a text of JSON": '"text"',
    "a number of JSON": str(_HUGE),
    "an empty array": "[]",
    "base64 that is no gzip": "Z2FyYmFnZQ==",
    "a gzip stream that is cut short": "H4sIAAAAAAAC/6tWSlSyUjBU",
    "100,000 brackets": "[" * 100_000,
    "an array nested 100,000 levels deep": "[" * 100_000 + "]" * 100_000,
}
"""Payloads without any event: a transformer raises InputError, or yields rejections or nothing."""

_VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "0": 0,
    "-1": -1,
    "1.5": 1.5,
    "an integer of 401 digits": _HUGE,
    "NaN": float("nan"),
    "an empty text": "",
    "a text": "text",
    "a text of 100,000 characters": "x" * 100_000,
    "a text with a lone surrogate": "\ud800",
    "[]": [],
    "[null]": [None],
    "{}": {},
    "an object nested 400 levels deep": _DEEP,
}
_FIELDS = 60
"""Maximum number of fields of an element that are tried with every value."""


def bad_values() -> Iterable[tuple[str, Any]]:
    """A value of every type, with its description."""
    return _VALUES.items()


def bad_elements(good: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """A value of every type, then a good element in which one field at a time has such a value."""
    yield from bad_values()
    for path in islice(_paths(good), _FIELDS):
        for what, value in bad_values():
            changed = copy.deepcopy(good)
            reduce(lambda parent, key: parent[key], path[:-1], changed)[path[-1]] = value
            yield f"an element with {what} as its {'.'.join(map(str, path))}", changed


def _paths(element: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = element.items() if isinstance(element, dict) else enumerate(element) if isinstance(element, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from _paths(child, (*path, key))


class Payload:
    """The JSON payload of a request: :attr:`lists` are its lists of objects by key; the key is None if the payload itself is
    one."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self._document = _document(request)
        fields = self._document if isinstance(self._document, dict) else {None: self._document}
        self.lists = {key: value for key, value in fields.items() if _has_objects(value)}

    def with_elements(self, key: str | None, elements: list[Any]) -> Request:
        """The request with other elements in one of its lists."""
        document = elements if key is None else {**self._document, key: elements}
        return msgspec.structs.replace(self.request, data=json.dumps(document))


def _document(request: Request) -> Any:
    try:
        return json.loads(payload_bytes(request.data, request.uri, Limits().max_payload_bytes))
    except (InputError, ValueError, RecursionError):
        return None


def _has_objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)
