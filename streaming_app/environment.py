"""What a configuration names, opened: its tables, and the lock that lets one process write to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import msgspec

from streaming_app.config.model import Config
from streaming_app.lake.lake import Lake
from streaming_app.lake.lock.holder import Holder
from streaming_app.lake.lock.writer_lock import TTL_SECONDS, is_free, leased
from streaming_app.storage.conditional_object import Slot, slot_at
from streaming_app.storage.files import Storage
from streaming_app.storage.uris import absolute, is_s3


def open_lake(config: Config) -> Lake:
    """The tables that a configuration names."""
    source = None if is_s3(config.source.uri) else absolute(config.source.uri)
    return Lake(config.sink.uri, Storage(config.s3.endpoint, config.s3.region, source))


def lease_slot(config: Config, storage: Storage) -> Slot:
    """Where the lock is kept: beside the tables. The submitter looks there, too (:mod:`submitter.in_use`)."""
    return slot_at(config.lease_uri, storage)


def holder_of(config: Config, storage: Storage) -> Holder | None:
    """Who holds the lock now, as far as can be known without waiting; None where it is free. Writes nothing."""
    seen = lease_slot(config, storage).read()
    holder = None if seen is None else msgspec.json.decode(seen[0], type=Holder)
    return None if holder is None or is_free(holder) else holder


@contextmanager
def lock_lake(config: Config, what: str, ttl_seconds: float = TTL_SECONDS) -> Iterator[Lake]:
    """The tables, for this process alone; ``what`` is shown to others who want them.

    Raises:
        LeaseError: another process writes to them.
    """
    lake = open_lake(config)
    with leased(lease_slot(config, lake.storage), what, ttl_seconds) as lease:
        yield replace(lake, guard=lease.check)
