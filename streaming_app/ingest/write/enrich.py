"""Calling enrichers so that nothing they do can lose a row: what fails is null and counted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.transform.time_budget import TimeBudget
from streaming_app.model.arrow import one_array
from streaming_app.model.shorten import shorten_text
from streaming_app.model.tables import EVENT
from streaming_app.plugins.loading import ConfiguredEnricher
from streaming_app.plugins.validate_enriched import conform_to_schema

_KNOWN = {column.name: column for column in EVENT.columns}
_OWN = "streaming_app.enrichers."


class EnricherStats(msgspec.Struct):
    """What one enricher did in a task or a batch. ``failed`` counts values, ``error`` is the first one's message; ``counts`` are
    the enricher's own."""

    cpu_seconds: float = 0.0
    failed: int = 0
    error: str | None = None
    info: dict[str, Any] = msgspec.field(default_factory=dict)
    counts: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, other: EnricherStats) -> None:
        self.cpu_seconds += other.cpu_seconds
        self.failed += other.failed
        self.error = self.error or other.error
        self.info = self.info or other.info
        self.count(other.counts)

    def count(self, further: Mapping[str, int]) -> None:
        for name, number in further.items():
            self.counts[name] = self.counts.get(name, 0) + number


class Enrichment:
    """Takes tables of events through the enrichers in order; ``stats`` tells what each did, by its name."""

    def __init__(self, steps: Sequence[ConfiguredEnricher], max_seconds: float) -> None:
        self._steps, self._max_seconds = steps, max_seconds
        self._before = [(_own_failures(step), _own_counts(step)) for step in steps]
        self.stats: dict[str, EnricherStats] = {}
        self._budgets: dict[str, TimeBudget] = {}

    def apply(self, events: pa.Table) -> pa.Table:
        """The same rows with what the enrichers add, every column of the contract in its type and size."""
        if not self._steps:
            return events
        for step in self._steps:
            use, began = self.stats.setdefault(step.name, EnricherStats()), time.thread_time()
            budget = self._budget_for(step, len(events))
            if budget.is_exhausted:
                use.failed += len(events)
            else:
                events = _apply_to_enabled_apps(step, events, use, budget)
            use.cpu_seconds += time.thread_time() - began
        return pa.table({name: _shortened(name, one_array(events[name])) for name in events.column_names})

    def _budget_for(self, step: ConfiguredEnricher, rows: int) -> TimeBudget:
        """New for each table, unless it was lost with one: then the enricher is not called again in this task."""
        last = self._budgets.get(step.name)
        if last is None or not last.is_exhausted:
            self._budgets[step.name] = TimeBudget(self._max_seconds, max(1, rows))
        return self._budgets[step.name]

    def close(self) -> dict[str, EnricherStats]:
        """What each enricher did, its own counters and facts included."""
        for step, (failed, counts) in zip(self._steps, self._before, strict=True):
            use = self.stats.setdefault(step.name, EnricherStats())
            use.failed += _own_failures(step) - failed
            use.count({name: number - counts.get(name, 0) for name, number in _own_counts(step).items()})
            use.info = _info(step)
        return self.stats


def _info(step: ConfiguredEnricher) -> dict[str, Any]:
    info = getattr(step.enricher, "info", None)
    try:
        facts: dict[str, Any] = msgspec.to_builtins(info()) if callable(info) else {}
    except Exception as error:  # a fact that cannot be told is no reason to fail
        return {"error": f"{type(error).__name__}: {error}"}
    return facts


def _own_failures(step: ConfiguredEnricher) -> int:
    count = getattr(step.enricher, "failed", 0)
    return count if isinstance(count, int) else 0


def _own_counts(step: ConfiguredEnricher) -> dict[str, int]:
    """A copy; what is no number is left out."""
    counts = getattr(step.enricher, "counts", None)
    return {str(name): count for name, count in counts.items() if isinstance(count, int)} if isinstance(counts, dict) else {}


def _apply_to_enabled_apps(step: ConfiguredEnricher, events: pa.Table, use: EnricherStats, budget: TimeBudget) -> pa.Table:
    """One step over the events of the apps that it serves; the rows stay in their order."""
    if not step.excluded_apps:
        return _enrich_or_halve(step, events, use, budget)
    others = pc.is_in(events["app_id"], pa.array(step.excluded_apps, pa.string()))
    places = [pc.indices_nonzero(pc.invert(others)), pc.indices_nonzero(others)]
    parts = [_enrich_or_halve(step, events.take(places[0]), use, budget), events.take(places[1])]
    joined = pa.concat_tables(parts, promote_options="default")
    return joined.take(pc.sort_indices(pa.concat_arrays([each.cast(pa.int64()) for each in places])))


def _enrich_or_halve(step: ConfiguredEnricher, events: pa.Table, use: EnricherStats, budget: TimeBudget) -> pa.Table:
    """One step; a table that it fails on is halved until the failing rows are alone: these stay as they are."""
    trusted = type(step.enricher).__module__.startswith(_OWN)
    try:
        with nullcontext() if trusted else budget.limit_call(len(events)):
            return conform_to_schema(step.enricher.enrich(events), events, trusted=trusted)
    except Exception as error:
        if len(events) <= 1 or budget.is_exhausted:
            use.failed += len(events)
            use.error = use.error or f"{type(error).__name__}: {error}"
            return events
    half = len(events) // 2
    parts = [_enrich_or_halve(step, part, use, budget) for part in (events.slice(0, half), events.slice(half))]
    return pa.concat_tables(parts, promote_options="default").combine_chunks()


def _shortened(name: str, values: pa.Array) -> pa.Array:
    column = _KNOWN.get(name)
    return shorten_text(values, column.max_bytes) if column and column.max_bytes and not column.is_json else values
