"""Telling the elements of a broken JSON array apart, so that one bad element never takes its siblings along."""

from __future__ import annotations

import re
from collections.abc import Iterator

from streaming_app.model.json_repair import strip_mark

# What matters for the nesting: whole strings (their content does not), an opening, a closing, a comma. Nothing that was taken is
# given back, or a text of nothing but escapes would be read again from each of them.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|(?P<open>))|[\[{]|[\]}]|,', re.DOTALL)
_MARK = re.compile(rb"[\[{]|[\]}]|,")


def split_elements(payload: bytes) -> list[bytes]:
    """The raw text of each element of a JSON array; of anything else that starts like an object, the whole.

    Only brackets, commas and strings are looked at, so elements may be malformed inside. Where brackets do not balance,
    the rest of the text is one more element, so that nothing is lost. Returns [] for text that is neither.
    """
    return list(iterate_elements(payload))


def iterate_elements(payload: bytes) -> Iterator[bytes]:
    """The same one by one. Linear in the size of the text, whatever is in it."""
    text = strip_mark(payload.strip())
    if text[:1] == b"{":
        yield text
    if text[:1] != b"[":
        return
    for part in _parts(text):
        if element := part.strip():
            yield element


def _parts(text: bytes) -> Iterator[bytes]:
    """What is between the brackets and commas of the outermost array, in which the text starts."""
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
    """Each token in order; a string that is not closed, and so the last one, is none, but the marks in it are."""
    for token in _TOKEN.finditer(text):
        if token["open"] is not None:
            yield from _MARK.finditer(text, token.start())
            return
        yield token
