"""The writer lock (a lease): acquired before the first write, renewed by a thread during the work, released at its end.

A holder that is killed does not release it. On the same machine, since its last start, its process is looked up and the lock is
free at once. On another machine, the waiting process watches it: a lock that is not renewed within its time to live has expired.
Clocks of different machines are never compared.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from streaming_app.errors import LockError, SinkError
from streaming_app.lake.lock.holder import Holder
from streaming_app.storage.conditional_object import ConditionalObject, ObjectVersion

log = logging.getLogger("clickstream")

TTL_SECONDS = 60.0
"""Time to live of the lock without renewal."""
_RENEWALS_PER_TTL = 4
_POLLS_PER_TTL = 60
_ABANDONED_TTLS = 60
"""Number of times to live after which a lock is free without watching it: an hour, which is more than any clock is off."""


_NOT_WRITTEN = (OSError, BotoCoreError, ClientError, msgspec.MsgspecError)


class WriterLock:
    """The lock on the tables while this process holds it; :meth:`check` before each write to a table."""

    def __init__(self, lock_object: ConditionalObject, holder: Holder, version: ObjectVersion) -> None:
        self._object, self._holder, self._version = lock_object, holder, version
        self._renewed_at = time.monotonic()
        self._lost = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_over, name="writer-lock", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise if another process may hold the lock by now.

        Raises:
            LockError: it was not renewed in time, for example because this machine slept.
        """
        if self._lost or time.monotonic() - self._renewed_at > self._holder.ttl_seconds:
            raise LockError("the lock on the tables was lost to another process", "nothing more was committed; run it again")

    def release(self) -> None:
        """Release the lock, unless another process holds it by now. If that fails, it expires by itself."""
        self._over.set()
        self._thread.join()
        if self._lost:
            return
        try:
            self._swap(msgspec.structs.replace(self._holder, released=True))
        except _NOT_WRITTEN as error:
            log.warning("the lock could not be released: %s", error)

    def _renew_until_over(self) -> None:
        while not self._over.wait(self._holder.ttl_seconds / _RENEWALS_PER_TTL) and not self._lost:
            renewed = msgspec.structs.replace(self._holder, renewals=self._holder.renewals + 1, renewed=time.time())
            try:
                self._swap(renewed)
            except _NOT_WRITTEN as error:
                log.warning("the lock could not be renewed: %s", error)  # there is time for another attempt

    def _swap(self, holder: Holder) -> None:
        began = time.monotonic()
        version = self._object.compare_and_swap(_text(holder), self._version) or self._swap_own(holder)
        if version is None:
            self._lost = True
            return
        self._holder, self._version, self._renewed_at = holder, version, began

    def _swap_own(self, holder: Holder) -> ObjectVersion | None:
        """Swap again if the stored lock is ours: an earlier write may have succeeded although its response was lost."""
        seen = self._object.read()
        if seen is None or msgspec.json.decode(seen[0], type=Holder).id != holder.id:
            return None
        return self._object.compare_and_swap(_text(holder), seen[1])


def _text(holder: Holder) -> str:
    return msgspec.json.encode(holder).decode()


@contextmanager
def acquire_lock(lock_object: ConditionalObject, purpose: str, ttl_seconds: float = TTL_SECONDS) -> Iterator[WriterLock]:
    """Hold the lock for the block.

    Raises:
        LockError: another process holds it, and is alive.
        SinkError: it cannot be read or written.
    """
    try:
        lock = _take(lock_object, Holder.me(purpose, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", ttl_seconds))
    except _NOT_WRITTEN as error:
        raise SinkError(f"the lock on the tables cannot be acquired: {error}", "check the path and your rights on it") from None
    try:
        yield lock
    finally:
        lock.release()


def _take(lock_object: ConditionalObject, me: Holder) -> WriterLock:
    watched: ObjectVersion | None = None
    unchanged_since = 0.0
    while True:
        seen = lock_object.read()
        other = None if seen is None else msgspec.json.decode(seen[0], type=Holder)
        version = None if seen is None else seen[1]
        if other is None or is_free(other) or (version == watched and time.monotonic() - unchanged_since > other.ttl_seconds):
            mine = msgspec.structs.replace(me, renewed=time.time())
            if (taken := lock_object.compare_and_swap(_text(mine), version)) is not None:
                return WriterLock(lock_object, mine, taken)
            continue
        if other.is_here or (watched is not None and version != watched):
            raise LockError(
                f"the tables are in use: {other}", "wait until it has ended; a process that died frees them by itself"
            )
        if watched is None:
            log.info("waiting up to %.0f s: the tables may be in use: %s", other.ttl_seconds, other)
            watched, unchanged_since = version, time.monotonic()
        time.sleep(other.ttl_seconds / _POLLS_PER_TTL)


def is_free(other: Holder) -> bool:
    """Whether a lock was released or its process has ended. If it ran on another machine, False does not prove that it is
    alive."""
    if other.released or (other.is_here and not other.is_alive_here):
        return True
    return time.time() - other.renewed > _ABANDONED_TTLS * other.ttl_seconds
