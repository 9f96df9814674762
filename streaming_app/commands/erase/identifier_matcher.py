"""Finding ids in text, literally or behind the escapes of JSON and URLs."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from streaming_app.commands.erase.person import ID_BYTES

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_LAYERS = 6
"""Escapes in escapes that are looked behind: JSON in JSON in a form in a line are four."""
_MAX_ESCAPE_CHARS = 64
"""Characters that stand for one of an id, behind all layers, at the most."""


class IdentifierMatcher:
    """Finds ids as whole words: ``u-1`` is not in ``u-12``.

    Or as whole ``values`` of JSON or a form: ``shop`` is in ``"shop"`` and ``appId=shop&``, not in ``https://shop.example/``.
    """

    def __init__(self, ids: Iterable[str], *, values: bool = False) -> None:
        self.ids = tuple(sorted(ids, key=len, reverse=True))
        before, after = ('(?<=["=])', r'(?=\\*["&]|\s|$)') if values else (r"(?<![\w-])", r"(?![\w-])")
        known = (re.escape(each) + ("" if _may_be_cut(each) else after) for each in self.ids)
        self._pattern = re.compile(f"{before}(?:{'|'.join(known)})")
        self._have_blanks = any(" " in each for each in self.ids)
        self._overlap = _MAX_ESCAPE_CHARS * (len(self.ids[0]) + 2)

    def in_text(self, text: str) -> bool:
        return self._in_part(text, is_first=True, is_last=True)

    def in_stream(self, blocks: Iterable[bytes]) -> bool:
        """Search a text that comes in blocks, cut anywhere: the end of the previous block is searched again with the next."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        rest, is_first = "", True
        for block in blocks:
            text = rest + decoder.decode(block)
            if self._in_part(text, is_first=is_first, is_last=False):
                return True
            is_first = is_first and len(text) <= self._overlap
            rest = text[-self._overlap :]
        return self._in_part(rest + decoder.decode(b"", final=True), is_first=is_first, is_last=True)

    def _in_part(self, text: str, *, is_first: bool, is_last: bool) -> bool:
        """Search a part of a text. A match at a cut does not count: it may be half of a longer word."""
        return any(
            (is_first or match.start() > 0) and (is_last or match.end() < len(view))
            for view in self._views(text)
            if any(each in view for each in self.ids)  # much faster than the pattern
            for match in self._pattern.finditer(view)
        )

    def _views(self, text: str) -> Iterator[str]:
        """The text, and the text without each layer of escapes."""
        for _ in range(_LAYERS):
            yield text
            if self._have_blanks and "+" in text:
                yield text.replace("+", " ")
            plain = unquote(_unescape(text))
            if plain == text:
                return
            text = plain


def _may_be_cut(known: str) -> bool:
    """Whether what was sent may be longer than the id that is stored; a character is not split."""
    return len(known.encode()) > ID_BYTES - 4


def _unescape(text: str) -> str:
    """The text without JSON's escapes, whether or not it is JSON as a whole."""
    text = text.replace('\\"', '"')  # most of them, and a hundred times as fast
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _SHORT.get(found[2], found[2]), text)
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
