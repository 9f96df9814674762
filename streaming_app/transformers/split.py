"""Telling the elements of a broken JSON array apart, so that one bad element never takes its siblings along."""

from __future__ import annotations

import re

# What matters for the nesting: whole strings (their content does not), an opening, a closing, a comma.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]|,', re.DOTALL)


def split_elements(payload: bytes) -> list[bytes]:
    """The raw text of each element of a JSON array; of anything else that starts like an object, the whole.

    Only brackets, commas and strings are looked at, so elements may be malformed inside. Where brackets do not balance,
    the rest of the text is one more element, so that nothing is lost. Returns [] for text that is neither.
    """
    text = payload.strip()
    if text[:1] == b"{":
        return [text]
    if text[:1] != b"[":
        return []
    parts, depth, start = [], 0, 1
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                parts.append(text[start : token.start()])
                start = token.end()
                break
        elif mark == b"," and depth == 1:
            parts.append(text[start : token.start()])
            start = token.end()
    parts.append(text[start:])
    return [part for part in map(bytes.strip, parts) if part]
