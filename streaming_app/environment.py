"""Opening what a configuration names: its tables, and the lock that lets one process write to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import msgspec

from streaming_app.config.model import Config
from streaming_app.lake.lake import Lake
from streaming_app.lake.lock.holder import Holder
from streaming_app.lake.lock.writer_lock import TTL_SECONDS, acquire_lock, is_free
from streaming_app.storage.conditional_object import ConditionalObject, conditional_object_at
from streaming_app.storage.files import Storage
from streaming_app.storage.uris import absolute, is_s3


def open_lake(config: Config) -> Lake:
    """The tables that a configuration names."""
    source = None if is_s3(config.source.uri) else absolute(config.source.uri)
    return Lake(config.sink.uri, Storage(config.s3.endpoint, config.s3.region, source))


def lock_object(config: Config, storage: Storage) -> ConditionalObject:
    """Where the lock is kept: beside the tables. The submitter looks there, too (:mod:`submitter.in_use`)."""
    return conditional_object_at(config.lock_uri, storage)


def holder_of(config: Config, storage: Storage) -> Holder | None:
    """Who holds the lock now, as far as can be known without waiting; None where it is free. Writes nothing."""
    seen = lock_object(config, storage).read()
    holder = None if seen is None else msgspec.json.decode(seen[0], type=Holder)
    return None if holder is None or is_free(holder) else holder


@contextmanager
def lock_lake(config: Config, purpose: str, ttl_seconds: float = TTL_SECONDS) -> Iterator[Lake]:
    """The tables, for this process alone; ``purpose`` is shown to other processes that want it.

    Raises:
        LockError: another process writes to them.
    """
    lake = open_lake(config)
    with acquire_lock(lock_object(config, lake.storage), purpose, ttl_seconds) as lock:
        yield replace(lake, guard=lock.check)
