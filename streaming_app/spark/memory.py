"""Returning unused memory to the operating system."""

from __future__ import annotations

import ctypes

import pyarrow as pa


def release_memory() -> None:
    """Return what Arrow and the C library keep in reserve.

    They keep as much as the largest piece of work took: half of a worker, and of the driver, which others could use.
    """
    pa.default_memory_pool().release_unused()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc's; others have nothing like it
        trim(0)
