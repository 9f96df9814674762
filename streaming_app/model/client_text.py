"""Text that clients sent: truncated, made valid UTF-8, and escaped for terminals, logs and pipes.

Event names, ids, titles and user agents are untrusted: a control character in one can move the cursor, set a title, write to the
clipboard, or show text in a different order.
"""

from __future__ import annotations

import re
from unicodedata import category

_CONTROLS = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Unicode categories that are escaped: controls (C0, C1), marks without width (direction, joiners), surrogates, line ends."""

_ODD = re.compile(r"[^ -~]")


def escape(text: str, *, lines: bool = False) -> str:
    r"""Replace control characters in a text by Python's escapes.

    ``lines``: line ends are kept, for text of several lines.

    >>> escape("\x1b[2J caf\u00e9 \u202e\n"), escape("a\nb\r", lines=True)
    ('\\x1b[2J café \\u202e\\n', 'a\nb\\r')
    """
    if text.isprintable():
        return text
    return _ODD.sub(lambda found: _escape_character(found[0], keep="\n" if lines else ""), text)


def escape_json(text: str) -> str:
    r"""Replace control characters in JSON by JSON's escapes, which leave its meaning unchanged.

    >>> escape_json('{"a": "\x7f\u202e\U000e0041"}')
    '{"a": "\\u007f\\u202e\\udb40\\udc41"}'
    """
    if text.isprintable():
        return text
    return _ODD.sub(lambda found: _json_escape(found[0]) if _is_control(found[0]) else found[0], text)


def _escape_character(character: str, keep: str) -> str:
    if character == keep or not _is_control(character):
        return character
    return ascii(character)[1:-1]


def _json_escape(character: str) -> str:
    if character == "\n":  # JSON may have several lines; inside a text a line end is escaped already
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _is_control(character: str) -> bool:
    return category(character) in _CONTROLS


def storable(text: str) -> str:
    """The text as valid UTF-8: a lone surrogate, as in a file name that is not UTF-8, is replaced by its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def cut(text: str, max_bytes: int) -> str:
    """The longest prefix of the text with at most ``max_bytes`` of UTF-8.

    >>> cut("añb", 2)
    'a'
    """
    return text.encode()[:max_bytes].decode("utf-8", "ignore")
