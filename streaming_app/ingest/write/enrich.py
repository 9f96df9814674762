"""Calling enrichers so that nothing they do can lose a row: what fails is null and counted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.transform.patience import Patience
from streaming_app.model.arrow import one_array
from streaming_app.model.shorten import shorten_text
from streaming_app.model.tables import EVENT
from streaming_app.plugins.loading import Step
from streaming_app.plugins.validate_enriched import fitted

_KNOWN = {column.name: column for column in EVENT.columns}
_OWN = "streaming_app.enrichers."


class Use(msgspec.Struct):
    """What one enricher did in a task or a batch. ``failed`` counts values, ``error`` is the first one's message; ``counts`` are
    the enricher's own."""

    cpu_seconds: float = 0.0
    failed: int = 0
    error: str | None = None
    info: dict[str, Any] = msgspec.field(default_factory=dict)
    counts: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, other: Use) -> None:
        self.cpu_seconds += other.cpu_seconds
        self.failed += other.failed
        self.error = self.error or other.error
        self.info = self.info or other.info
        self.count(other.counts)

    def count(self, further: Mapping[str, int]) -> None:
        for name, number in further.items():
            self.counts[name] = self.counts.get(name, 0) + number


class Enrichment:
    """Takes tables of events through the enrichers in order; ``uses`` tells what each did, by its name."""

    def __init__(self, steps: Sequence[Step], max_seconds: float) -> None:
        self._steps, self._max_seconds = steps, max_seconds
        self._before = [(_own_failures(step), _own_counts(step)) for step in steps]
        self.uses: dict[str, Use] = {}
        self._patience: dict[str, Patience] = {}

    def apply(self, events: pa.Table) -> pa.Table:
        """The same rows with what the enrichers add, every column of the contract in its type and size."""
        if not self._steps:
            return events
        for step in self._steps:
            use, began = self.uses.setdefault(step.name, Use()), time.thread_time()
            patience = self._patience_with(step, len(events))
            if patience.is_lost:
                use.failed += len(events)
            else:
                events = _where_it_serves(step, events, use, patience)
            use.cpu_seconds += time.thread_time() - began
        return pa.table({name: _shortened(name, one_array(events[name])) for name in events.column_names})

    def _patience_with(self, step: Step, rows: int) -> Patience:
        """New for each table, unless it was lost with one: then the enricher is not called again in this task."""
        last = self._patience.get(step.name)
        if last is None or not last.is_lost:
            self._patience[step.name] = Patience(self._max_seconds, max(1, rows))
        return self._patience[step.name]

    def close(self) -> dict[str, Use]:
        """What each enricher did, its own counters and facts included."""
        for step, (failed, counts) in zip(self._steps, self._before, strict=True):
            use = self.uses.setdefault(step.name, Use())
            use.failed += _own_failures(step) - failed
            use.count({name: number - counts.get(name, 0) for name, number in _own_counts(step).items()})
            use.info = _info(step)
        return self.uses


def _info(step: Step) -> dict[str, Any]:
    info = getattr(step.enricher, "info", None)
    try:
        facts: dict[str, Any] = msgspec.to_builtins(info()) if callable(info) else {}
    except Exception as error:  # a fact that cannot be told is no reason to fail
        return {"error": f"{type(error).__name__}: {error}"}
    return facts


def _own_failures(step: Step) -> int:
    count = getattr(step.enricher, "failed", 0)
    return count if isinstance(count, int) else 0


def _own_counts(step: Step) -> dict[str, int]:
    """A copy; what is no number is left out."""
    counts = getattr(step.enricher, "counts", None)
    return {str(name): count for name, count in counts.items() if isinstance(count, int)} if isinstance(counts, dict) else {}


def _where_it_serves(step: Step, events: pa.Table, use: Use, patience: Patience) -> pa.Table:
    """One step over the events of the apps that it serves; the rows stay in their order."""
    if not step.not_for:
        return _enriched(step, events, use, patience)
    others = pc.is_in(events["app_id"], pa.array(step.not_for, pa.string()))
    places = [pc.indices_nonzero(pc.invert(others)), pc.indices_nonzero(others)]
    parts = [_enriched(step, events.take(places[0]), use, patience), events.take(places[1])]
    joined = pa.concat_tables(parts, promote_options="default")
    return joined.take(pc.sort_indices(pa.concat_arrays([each.cast(pa.int64()) for each in places])))


def _enriched(step: Step, events: pa.Table, use: Use, patience: Patience) -> pa.Table:
    """One step; a table that it fails on is halved until the failing rows are alone: these stay as they are."""
    trusted = type(step.enricher).__module__.startswith(_OWN)
    try:
        with nullcontext() if trusted else patience.with_part(len(events)):
            return fitted(step.enricher.enrich(events), events, trusted=trusted)
    except Exception as error:
        if len(events) <= 1 or patience.is_lost:
            use.failed += len(events)
            use.error = use.error or f"{type(error).__name__}: {error}"
            return events
    half = len(events) // 2
    parts = [_enriched(step, part, use, patience) for part in (events.slice(0, half), events.slice(half))]
    return pa.concat_tables(parts, promote_options="default").combine_chunks()


def _shortened(name: str, values: pa.Array) -> pa.Array:
    column = _KNOWN.get(name)
    return shorten_text(values, column.max_bytes) if column and column.max_bytes and not column.is_json else values
