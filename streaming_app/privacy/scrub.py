"""Replaces addresses in raw text by their keys: in JSON, in JSON inside JSON strings, and in truncated JSON."""

from __future__ import annotations

import re
from collections.abc import Callable

KEYS = ("ip", "ip_override", "$ip", "fakeIp", "source_ip")
"""Keys whose values are addresses or lists of them: those of requests, GTM, Sensors Data, the endpoint in development mode, and
``process_info``."""

# A key with its closing quote, the colon and the quote that opens its value. The number of backslashes before a quote depends on
# how deeply the JSON is embedded: none in plain JSON, 1 inside a JSON string, 3 inside a string of that.
_KEY = re.compile(rf'"(?:{"|".join(map(re.escape, KEYS))})(\\*)"\s*:\s*\1"')
_QUOTE = re.compile(r'(?<!\\)(\\*)"')  # from the first backslash on, so that a long run of them is read only once


def replace_addresses(raw: str, replace: Callable[[str], str]) -> str:
    """Replace the string values of :data:`KEYS` in a text; everything else is unchanged.

    ``replace`` gets the value without the escapes of its quotes, and must return text that needs no escapes.

    >>> replace_addresses('{"ip":"192.0.2.1","data":"[{\\\\"ip\\\\":\\\\"192.0.2.2\\\\"}]"}', lambda value: value[-1])
    '{"ip":"1","data":"[{\\\\"ip\\\\":\\\\"2\\\\"}]"}'
    """
    parts, done = [], 0
    while key := _KEY.search(raw, done):
        end = _end(raw, key.end(), len(key[1]))
        parts += [raw[done : key.end()], replace(raw[key.end() : end].replace("\\", ""))]
        done = end
    return "".join(parts) + raw[done:]


def _end(raw: str, start: int, depth: int) -> int:
    """The end of a string whose quotes have ``depth`` backslashes: its closing quote; if that is missing, a quote with fewer
    backslashes, or the end of the text.
    """
    for quote in _QUOTE.finditer(raw, start):
        backslashes = len(quote[1])
        if backslashes < depth:
            return quote.start()
        if (backslashes - depth) % (2 * depth + 2) == 0:  # further backslashes are pairs, which are backslashes of the value
            return quote.end() - 1 - depth
    return len(raw)
