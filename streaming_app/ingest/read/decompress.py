"""The bytes of a raw file in blocks, gunzipped where its first bytes say gzip (whatever the file is called)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isal import isal_zlib

from streaming_app.plugins.payload import GZIP_MAGIC, IsalError

_READ = 1 << 20
_PIECE = 1 << 16
"""Compressed bytes that a gzip member is given at once. What follows its end is copied, so pieces of a file of tiny members
must be small."""
_BLOCK = 1 << 22
_SMALL = 1 << 18
"""Blocks below this are joined: a file of tiny members would make a block of each."""
_GZIP = 15 + 16  # zlib's window bits for gzip


class BrokenFile(Exception):
    """The compressed stream is damaged or ends early; everything before that was delivered."""


def blocks_of(raw: Any) -> Iterator[bytes]:
    """Content of a readable stream in blocks of at most some 4 MiB; several gzip members in a row are one content, and zero
    bytes before, between and after them are none.

    Raises:
        BrokenFile: after the last block that could be read.
    """
    head = raw.read(_READ)
    while head[:1] == b"\0":  # a writer that died leaves zero bytes, as many as there may be
        head = head.lstrip(b"\0") or raw.read(_READ)
    if len(head) == 1:
        head += raw.read(_READ)
    if head[:2] == GZIP_MAGIC:
        yield from _join_blocks(_gunzip(_pieces(head, raw)))
        return
    while head:
        yield head
        head = raw.read(_READ)


def _pieces(head: bytes, raw: Any) -> Iterator[bytes]:
    while head:
        yield from (head[start : start + _PIECE] for start in range(0, len(head), _PIECE))
        head = raw.read(_READ)


def _gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    member: Any = None
    for piece in pieces:
        packed = piece
        while packed:
            if member is None:
                packed = packed.lstrip(b"\0")  # zero padding is allowed after a member, as much as there may be
                if not packed:
                    break
                member = isal_zlib.decompressobj(_GZIP)
            try:
                block = member.decompress(packed, _BLOCK)
            except IsalError as error:
                raise BrokenFile(error) from None
            if block:
                yield block
            packed = member.unconsumed_tail
            if member.eof:
                packed, member = member.unused_data, None
    if member is not None:
        raise BrokenFile("the gzip stream is cut short")


def _join_blocks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same content in blocks of a useful size; what came before an error is delivered first."""
    small: list[bytes] = []
    size = 0
    try:
        for block in blocks:
            small.append(block)
            size += len(block)
            if size >= _SMALL:
                yield small[0] if len(small) == 1 else b"".join(small)
                small, size = [], 0
    except BrokenFile as error:
        broken: BrokenFile | None = error
    else:
        broken = None
    if small:
        yield b"".join(small)
    if broken:
        raise broken
