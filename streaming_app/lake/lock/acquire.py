"""The lease on the tables of a pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import msgspec

from streaming_app.config.model import Config
from streaming_app.lake.delta import Sink, sink_for
from streaming_app.lake.lock.holder import Holder
from streaming_app.lake.lock.writer_lock import TTL_SECONDS, is_free, leased
from streaming_app.storage.conditional_object import Slot, slot_at
from streaming_app.storage.files import Storage


def lease_slot(config: Config, storage: Storage) -> Slot:
    """Where it is kept: beside the tables. The submitter looks there, too (:mod:`submitter.in_use`)."""
    return slot_at(config.lease_uri, storage)


def holder_of(config: Config, storage: Storage) -> Holder | None:
    """Who holds the lease now, as far as can be told without waiting; None where it is free. Writes nothing."""
    seen = lease_slot(config, storage).read()
    holder = None if seen is None else msgspec.json.decode(seen[0], type=Holder)
    return None if holder is None or is_free(holder) else holder


@contextmanager
def leased_sink(config: Config, what: str, ttl_seconds: float = TTL_SECONDS) -> Iterator[Sink]:
    """The tables, for this process alone; ``what`` is shown to others who want them.

    Raises:
        LeaseError: another process writes to them.
    """
    sink = sink_for(config)
    with leased(lease_slot(config, sink.storage), what, ttl_seconds) as lease:
        yield replace(sink, guard=lease.check)
