"""Unpacking base64, perhaps of gzip, inside a text, piece by piece whatever its size.

It may stand anywhere: in a payload, in a form, in the query of a URL, in a line that is too long to be parsed.
"""

from __future__ import annotations

import mmap
import re
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from urllib.parse import unquote_to_bytes

import pybase64
from isal import isal_zlib

from streaming_app.plugins.payload import GZIP_OR_ZLIB, IsalError

Buffer = bytes | mmap.mmap

BLOCK_BYTES = 1 << 20
_PIECE_BYTES = 1 << 16
"""Packed bytes that are given at once: what follows the end of a gzip member is copied."""
_CANDIDATE = re.compile(rb"[^\"'&=?#.,:;{}\[\]()<>| \t]{12,}")
"""What base64 may be: no mark in it that separates values in JSON, forms, addresses and tokens. Shorter ones hold no id."""
_HEAD_BYTES, _HEAD_LETTERS = 64, 16
"""Characters that are looked at to see whether there is anything in it, and letters of base64 among them."""
_ESCAPE = re.compile(rb"\\(?:u00([0-9a-fA-F]{2})|u[0-9a-fA-F]{4}|(.))", re.DOTALL)
_ESCAPE_BYTES = 6
_LAYERS = 3
_ALPHABET = bytes(sorted(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_Letters = tuple[bytes, bytes]
"""Arguments of ``bytes.translate``: a table, and the bytes to skip, the same as the parse stage skips."""
_AS_IT_IS: _Letters = (bytes.maketrans(b"", b""), bytes(set(range(256)) - set(_ALPHABET)))
_URL_SAFE: _Letters = (bytes.maketrans(b"-_", b"+/"), bytes(set(range(256)) - set(_ALPHABET + b"-_")))
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_GZIP_MAGIC = b"\x1f\x8b\x08"
_MIN_ZLIB_BYTES = 64
"""Bytes that must have come out of what looks like zlib before it is taken for zlib that is damaged."""


class Damaged(Exception):
    """What follows in a packed text cannot be unpacked; what came before it was delivered."""


def find_packed_texts(text: Buffer) -> Iterator[Iterator[bytes]]:
    """Each text that is packed in another, in blocks.

    The inner iterators raise :class:`Damaged` where one cannot be unpacked to its end.
    """
    for found in _CANDIDATE.finditer(text):
        start, end = found.span()
        if _may_be_packed(text[start : min(end, start + _HEAD_BYTES)]):
            is_for_addresses = text.find(b"-", start, end) >= 0 or text.find(b"_", start, end) >= 0
            yield unpack(_decode_base64(_letters(text, start, end, _URL_SAFE if is_for_addresses else _AS_IT_IS)))


@lru_cache(1 << 14)
def _may_be_packed(head: bytes) -> bool:
    """Whether a text that begins so is base64 of something. A line has a hundred words, many of them the same."""
    letters = _unescape(head).translate(*_URL_SAFE)[:_HEAD_LETTERS]
    return is_readable(pybase64.b64decode(letters[: len(letters) & ~3]))


def is_readable(head: bytes) -> bool:
    """Whether what begins so is gzip, zlib, or text."""
    return bool(head) and (_is_compressed(head) or _is_text(head))


def unpack(content: Iterable[bytes]) -> Iterator[bytes]:
    """The content, decompressed where it is gzip or zlib.

    Raises:
        Damaged: after what could be read.
    """
    blocks = iter(content)
    head = b""
    while len(head) < len(_GZIP_MAGIC) and (block := next(blocks, None)) is not None:
        head += block
    whole = chain((head,), blocks)
    yield from _inflate(whole, must_be=head.startswith(_GZIP_MAGIC)) if _is_compressed(head) else whole


def _is_compressed(head: bytes) -> bool:
    is_zlib = len(head) > 1 and head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:2], "big") % 31 == 0
    return head.startswith(_GZIP_MAGIC) or is_zlib


def _is_text(head: bytes) -> bool:
    if _CONTROL.search(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3  # a character that is cut at its end
    return True


def _inflate(blocks: Iterable[bytes], *, must_be: bool) -> Iterator[bytes]:
    """One or more streams in a row. What is cut short is read as far as it goes: there is no more of it."""
    stream, size = isal_zlib.decompressobj(GZIP_OR_ZLIB), 0
    for block in blocks:
        for start in range(0, len(block), _PIECE_BYTES):
            piece = block[start : start + _PIECE_BYTES]
            while piece:
                try:
                    plain = stream.decompress(piece, BLOCK_BYTES)
                except IsalError as error:
                    if must_be or size >= _MIN_ZLIB_BYTES:
                        raise Damaged(str(error)) from None
                    return
                if plain:
                    size += len(plain)
                    yield plain
                piece = stream.unconsumed_tail
                if stream.eof:
                    piece = stream.unused_data
                    stream, must_be = isal_zlib.decompressobj(GZIP_OR_ZLIB), False


def _decode_base64(letters: Iterable[bytes]) -> Iterator[bytes]:
    """What base64 stands for; where its length is none that base64 has, as far as it goes."""
    rest = b""
    for more in letters:
        block = rest + more
        whole = len(block) - len(block) % 4
        rest = block[whole:]
        if whole:
            yield pybase64.b64decode(block[:whole])
    if len(rest) > 1:
        yield pybase64.b64decode(rest + b"=" * (4 - len(rest)))


def _letters(text: Buffer, start: int, end: int, alphabet: _Letters) -> Iterator[bytes]:
    """The letters of base64 in a part of a text, without escapes; all others are skipped, as in the parse stage."""
    rest = b""
    for at in range(start, end, BLOCK_BYTES):
        piece = rest + text[at : min(at + BLOCK_BYTES, end)]
        cut = len(piece)
        if at + BLOCK_BYTES < end:  # an escape that is cut waits for its other half
            cut = min(
                (found for found in (piece.find(mark, -_ESCAPE_BYTES) for mark in (b"%", b"\\")) if found >= 0), default=cut
            )
        rest = piece[cut:]
        yield _unescape(piece[:cut]).translate(*alphabet)


def _unescape(piece: bytes) -> bytes:
    for _ in range(_LAYERS):
        if b"\\" not in piece:
            break
        piece = _ESCAPE.sub(_unescape_match, piece)
    return unquote_to_bytes(piece) if b"%" in piece else piece


def _unescape_match(escape: re.Match[bytes]) -> bytes:
    if escape[1]:
        return bytes.fromhex(escape[1].decode())
    return escape[2] if escape[2] and escape[2] not in b"nrtbf" else b" "
