"""Memory that a process does not need for now goes back to the system."""

from __future__ import annotations

import ctypes

import pyarrow as pa


def give_back() -> None:
    """Return what Arrow and the C library keep in reserve.

    They keep all that the largest piece of work took: half of a worker, and of the driver, while others could use it.
    """
    pa.default_memory_pool().release_unused()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc's; others have nothing like it
        trim(0)
