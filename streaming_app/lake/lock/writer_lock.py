"""The lease: taken before the first write, renewed by a thread while the work goes on, given back at its end.

A holder that is killed leaves it behind. On the same machine its process is looked up, and it is free at once. Elsewhere the
waiting process watches: a lease that is not renewed for as long as it lasts is nobody's any more. No two clocks are compared.
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

from streaming_app.errors import LeaseError, SinkError
from streaming_app.lake.lock.holder import Holder
from streaming_app.storage.conditional_object import Slot, Version

log = logging.getLogger("clickstream")

TTL_SECONDS = 60.0
"""So long a lease lasts without being renewed."""
_RENEWALS_PER_TTL = 4
_LOOKS_PER_TTL = 60
_FORGOTTEN_TTLS = 60
"""After so many times its length a lease is free without watching it: an hour, which no clock is wrong by."""


_NOT_WRITTEN = (OSError, BotoCoreError, ClientError, msgspec.MsgspecError)


class Lease:
    """A lease that this process holds; :meth:`check` before each write to a table."""

    def __init__(self, slot: Slot, holder: Holder, version: Version) -> None:
        self._slot, self._holder, self._version = slot, holder, version
        self._renewed_at = time.monotonic()
        self._lost = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_over, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise if another process may hold the lease by now.

        Raises:
            LeaseError: it was not renewed in time, for example because this machine slept.
        """
        if self._lost or time.monotonic() - self._renewed_at > self._holder.ttl_seconds:
            raise LeaseError("the lease on the tables was lost to another process", "nothing more was committed; run it again")

    def release(self) -> None:
        """Give it back, unless it is another's by now. Where that fails it ends by itself: what was done is done."""
        self._over.set()
        self._thread.join()
        if self._lost:
            return
        try:
            self._swap(msgspec.structs.replace(self._holder, released=True))
        except _NOT_WRITTEN as error:
            log.warning("the lease could not be given back: %s", error)

    def _renew_until_over(self) -> None:
        while not self._over.wait(self._holder.ttl_seconds / _RENEWALS_PER_TTL) and not self._lost:
            renewed = msgspec.structs.replace(self._holder, renewals=self._holder.renewals + 1, renewed=time.time())
            try:
                self._swap(renewed)
            except _NOT_WRITTEN as error:
                log.warning("the lease could not be renewed: %s", error)  # there is time for another try

    def _swap(self, holder: Holder) -> None:
        began = time.monotonic()
        version = self._slot.swap(_text(holder), self._version) or self._swap_own(holder)
        if version is None:
            self._lost = True
            return
        self._holder, self._version, self._renewed_at = holder, version, began

    def _swap_own(self, holder: Holder) -> Version | None:
        """An earlier write whose answer was lost may have been done: then the text is not as expected, but ours."""
        seen = self._slot.read()
        if seen is None or msgspec.json.decode(seen[0], type=Holder).id != holder.id:
            return None
        return self._slot.swap(_text(holder), seen[1])


def _text(holder: Holder) -> str:
    return msgspec.json.encode(holder).decode()


@contextmanager
def leased(slot: Slot, what: str, ttl_seconds: float = TTL_SECONDS) -> Iterator[Lease]:
    """Hold the lease for the block.

    Raises:
        LeaseError: another process holds it, and is alive.
        SinkError: it cannot be read or written.
    """
    try:
        lease = _take(slot, Holder.me(what, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", ttl_seconds))
    except _NOT_WRITTEN as error:
        raise SinkError(f"the lease on the tables cannot be taken: {error}", "check the path and your rights on it") from None
    try:
        yield lease
    finally:
        lease.release()


def _take(slot: Slot, me: Holder) -> Lease:
    watched: Version | None = None
    unchanged_since = 0.0
    while True:
        seen = slot.read()
        other = None if seen is None else msgspec.json.decode(seen[0], type=Holder)
        version = None if seen is None else seen[1]
        if other is None or is_free(other) or (version == watched and time.monotonic() - unchanged_since > other.ttl_seconds):
            mine = msgspec.structs.replace(me, renewed=time.time())
            if (taken := slot.swap(_text(mine), version)) is not None:
                return Lease(slot, mine, taken)
            continue
        if other.is_here or (watched is not None and version != watched):
            raise LeaseError(
                f"the tables are in use: {other}", "wait until it has ended; a process that died frees them by itself"
            )
        if watched is None:
            log.info("waiting up to %.0f s: the tables may be in use: %s", other.ttl_seconds, other)
            watched, unchanged_since = version, time.monotonic()
        time.sleep(other.ttl_seconds / _LOOKS_PER_TTL)


def is_free(other: Holder) -> bool:
    """Given back, or its process is known to be gone. False does not say that it is alive, if it was on another machine."""
    if other.released or (other.is_here and not other.is_alive_here):
        return True
    return time.time() - other.renewed > _FORGOTTEN_TTLS * other.ttl_seconds
