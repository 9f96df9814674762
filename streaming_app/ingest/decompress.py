"""The bytes of a raw file in blocks, gunzipped where its first bytes say gzip (whatever the file is called)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from isal import isal_zlib

# The stubs declare an instance where the module has a class.
IsalError = cast("type[Exception]", isal_zlib.error)

_READ = 1 << 20
_BLOCK = 1 << 22
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = 15 + 16  # zlib's window bits for gzip


class BrokenFile(Exception):
    """The compressed stream is damaged or ends early; everything before that was delivered."""


def blocks_of(raw: Any) -> Iterator[bytes]:
    """Content of a readable stream in blocks of at most 4 MiB; several gzip members in a row are one content.

    Raises:
        BrokenFile: after the last block that could be read.
    """
    head = raw.read(_READ)
    if head[:2] == _GZIP_MAGIC:
        yield from _gunzipped(head, raw)
        return
    while head:
        yield head
        head = raw.read(_READ)


def _gunzipped(head: bytes, raw: Any) -> Iterator[bytes]:
    member, packed = isal_zlib.decompressobj(_GZIP), head
    while packed:
        try:
            block = member.decompress(packed, _BLOCK)
        except IsalError as error:
            raise BrokenFile(error) from None
        if block:
            yield block
        packed = member.unconsumed_tail
        if member.eof:
            packed = (member.unused_data or raw.read(_READ)).lstrip(b"\0")  # zero padding is allowed after a member
            if packed:
                member = isal_zlib.decompressobj(_GZIP)
        elif not packed:
            packed = raw.read(_READ)
    if not member.eof:
        raise BrokenFile("the gzip stream is cut short")
