"""Reads a raw file as blocks of bytes; gzip is recognised by its first bytes, not by the file's name, and decompressed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isal import isal_zlib

from streaming_app.plugins.payload import GZIP_MAGIC, IsalError

_READ = 1 << 20
_PIECE = 1 << 16
"""Compressed bytes that are passed to the decompressor at once. It copies what follows the end of a member, so these pieces must
be small for files of many tiny members."""
_BLOCK = 1 << 22
_SMALL = 1 << 18
"""Blocks smaller than this are joined: a file of tiny members would otherwise give a block for each."""
_GZIP = 15 + 16  # zlib's window bits for gzip


class BrokenFile(Exception):
    """The compressed stream is damaged or ends early; everything before that was delivered."""


def blocks_of(raw: Any) -> Iterator[bytes]:
    """Yield the content of a readable stream in blocks of about 4 MiB at most. Several gzip members are read as one content;
    zero bytes before, between and after them are skipped.

    Raises:
        BrokenFile: the stream is damaged; raised after the last block that could be read.
    """
    head = raw.read(_READ)
    while head[:1] == b"\0":  # a writer that crashed may leave any number of zero bytes
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
                packed = packed.lstrip(b"\0")  # any amount of zero padding is allowed after a member
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
    """Join small blocks into blocks of a useful size; what was read before an error is yielded before it is raised."""
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
