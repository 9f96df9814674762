"""Splits an invalid JSON array into its elements, so that a bad element fails alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from streaming_app.model.json_repair import strip_mark

# The tokens that matter for the nesting: whole strings, opening and closing brackets, commas. The quantifiers are possessive:
# with backtracking, a text of escapes only would be read again from each of them.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|(?P<open>))|[\[{]|[\]}]|,', re.DOTALL)
_MARK = re.compile(rb"[\[{]|[\]}]|,")


def split_elements(payload: bytes) -> list[bytes]:
    """The raw text of each element of a JSON array; of anything else that starts like an object, the whole.

    Only brackets, commas and strings are read, so elements may be malformed inside. If brackets do not balance, the rest of the
    text is one more element, so that nothing is lost. Returns [] for text that is neither an array nor an object.
    """
    return list(iterate_elements(payload))


def iterate_elements(payload: bytes) -> Iterator[bytes]:
    """Yield the elements one by one, in time linear in the size of the text."""
    text = strip_mark(payload.strip())
    if text[:1] == b"{":
        yield text
    if text[:1] != b"[":
        return
    for part in _parts(text):
        if element := part.strip():
            yield element


def _parts(text: bytes) -> Iterator[bytes]:
    """Yield the text between the brackets and commas of the outermost array, with which the text starts."""
    depth, start = 0, 1
    for token in _tokens(text):
        mark = token.group()
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                yield text[start : token.start()]
                start = token.end()
                break
        elif mark == b"," and depth == 1:
            yield text[start : token.start()]
            start = token.end()
    yield text[start:]


def _tokens(text: bytes) -> Iterator[re.Match[bytes]]:
    """Yield the tokens in order; inside a last string that is not closed, brackets and commas count as tokens."""
    for token in _TOKEN.finditer(text):
        if token["open"] is not None:
            yield from _MARK.finditer(text, token.start())
            return
        yield token
