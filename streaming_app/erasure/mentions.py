"""Whether a text names a person: raw payloads, packed or not, lines and envelopes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from streaming_app.errors import InputError
from streaming_app.transformers.payload import payload_bytes


class Mentions:
    """Finds ids as whole words: ``u-1`` is not in ``u-12``."""

    def __init__(self, ids: Iterable[str]) -> None:
        longest_first = sorted(ids, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])")

    def in_text(self, text: str) -> bool:
        """Also where JSON has written a character as its escape."""
        return bool(self._pattern.search(text) or ("\\" in text and self._pattern.search(_unescaped(text))))

    def in_payload(self, data: str | None, uri: str | None, max_bytes: int) -> bool:
        """In a request's payload, unpacked where it is packed."""
        try:
            payload = payload_bytes(data, uri, max_bytes).decode("utf-8", "backslashreplace")
        except InputError:
            return False
        return self.in_text(payload)


def _unescaped(text: str) -> str:
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return text
