"""How much memory buffered rows take.

Buffers are bounded by bytes as well as by rows, since one event can be as large as thousands of others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

BUFFER_BYTES = 32_000_000
"""Bytes of buffered rows after which they are written. A single request can add some ten times ``max_payload_bytes`` to it."""

_encode = msgspec.msgpack.Encoder().encode


def measure(rows: Sequence[tuple[Any, ...]]) -> int:
    """About how many bytes rows take, mostly those of their text. A microsecond an event, which is why it is done in C."""
    try:
        return len(_encode(rows))
    except Exception:  # integers beyond 64 bits, lone surrogates: rare, and not worth a rule for each
        return sum(_length(value) for row in rows for value in row)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(str(value))
