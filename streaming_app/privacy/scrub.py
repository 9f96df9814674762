"""Replacing the addresses in raw text: JSON, JSON inside the text of other JSON, and what is left of either."""

from __future__ import annotations

import re
from collections.abc import Callable

KEYS = ("ip", "ip_override", "$ip", "fakeIp", "source_ip")
"""Keys whose values are addresses or lists of them: the request's, GTM's, Sensors Data's, the endpoint's in development mode,
and ours in ``process_info``."""

# A key with its quote, colon and the quote that opens its value. The backslashes before a quote tell how deep the JSON is:
# none in plain JSON, 1 in JSON within its text, 3 within the text of that.
_KEY = re.compile(rf'"(?:{"|".join(map(re.escape, KEYS))})(\\*)"\s*:\s*\1"')
_QUOTE = re.compile(r'(?<!\\)(\\*)"')  # from the first backslash on, so that a long run of them is looked at once


def replace_addresses(raw: str, replace: Callable[[str], str]) -> str:
    """The text with the value of each of :data:`KEYS`, where it is a string, replaced; everything else stays as it is.

    ``replace`` gets the value without the escapes of its quotes, and returns text that needs none.

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
    """Where a string ends whose quotes have ``depth`` backslashes: at its own quote, at one of less depth if that is
    missing, or with the text.
    """
    for quote in _QUOTE.finditer(raw, start):
        backslashes = len(quote[1])
        if backslashes < depth:
            return quote.start()
        if (backslashes - depth) % (2 * depth + 2) == 0:  # those beyond the quote's own are pairs: backslashes of the value
            return quote.end() - 1 - depth
    return len(raw)
