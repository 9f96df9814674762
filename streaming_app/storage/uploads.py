"""Closes output streams side by side: to close one on S3 takes one to three requests, some 50 ms each, which is all waiting."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_SIDE_BY_SIDE = 16
"""Number of streams that are closed at a time; each holds its file, or the end of it, in memory."""


class Uploads:
    """Call :meth:`close` for each stream, then :meth:`wait` once; an error is raised by either, of any stream before."""

    def __init__(self, *, in_threads: bool) -> None:
        self._in_threads = in_threads
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[None]] = deque()

    def close(self, stream: Any) -> None:
        """Close a stream, at once or in a thread.

        Raises:
            OSError: the storage failed.
        """
        if not self._in_threads:
            stream.close()
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_SIDE_BY_SIDE)
        if len(self._waiting) >= _SIDE_BY_SIDE:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(stream.close))

    def wait(self) -> None:
        """Wait until all streams are closed.

        Raises:
            OSError: the storage failed.
        """
        if self._pool is not None:
            with self._pool:
                while self._waiting:
                    self._waiting.popleft().result()
            self._pool = None
