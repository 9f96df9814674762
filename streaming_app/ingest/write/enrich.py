"""Calls the enrichers so that a failing one never loses a row: its values are null and counted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.ingest.transform.time_budget import TimeBudget
from streaming_app.model.arrow import one_array, shorten_text
from streaming_app.model.tables import EVENT
from streaming_app.plugins.loading import ConfiguredEnricher
from streaming_app.plugins.validate_enriched import conform_to_schema

_KNOWN = {column.name: column for column in EVENT.columns}
_BUILT_IN = "streaming_app.enrichers."


class EnricherStats(msgspec.Struct):
    """What one enricher did in a task or a batch.

    ``failed`` counts values, ``error`` is the message of the first failure; ``info`` and ``counts`` come from the enricher.
    """

    cpu_seconds: float = 0.0
    failed: int = 0
    error: str | None = None
    info: dict[str, Any] = msgspec.field(default_factory=dict)
    counts: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, other: EnricherStats) -> None:
        """Add the statistics of another task."""
        self.cpu_seconds += other.cpu_seconds
        self.failed += other.failed
        self.error = self.error or other.error
        self.info = self.info or other.info
        self.count(other.counts)

    def count(self, further: Mapping[str, int]) -> None:
        """Add to the enricher's own counters."""
        for name, number in further.items():
            self.counts[name] = self.counts.get(name, 0) + number


class Enrichment:
    """Passes tables of events through the configured enrichers in order; ``stats`` by the enrichers' names."""

    def __init__(self, enrichers: Sequence[ConfiguredEnricher], max_seconds: float) -> None:
        self._enrichers, self._max_seconds = enrichers, max_seconds
        # Enrichers outlive a task: what they had counted before it is subtracted at its end.
        self._before = [(_failures_of(each), _counts_of(each)) for each in enrichers]
        self.stats: dict[str, EnricherStats] = {}
        self._budgets: dict[str, TimeBudget] = {}

    def apply(self, events: pa.Table) -> pa.Table:
        """Enrich a table: the same rows with the enrichers' columns, conformed to the types and limits of the contract."""
        if not self._enrichers:
            return events
        for each in self._enrichers:
            stats, began = self.stats.setdefault(each.name, EnricherStats()), time.thread_time()
            budget = self._budget_for(each, len(events))
            if budget.is_exhausted:
                stats.failed += len(events)
            else:
                events = _apply_to_enabled_apps(each, events, stats, budget)
            stats.cpu_seconds += time.thread_time() - began
        return pa.table({name: _shorten_column(name, one_array(events[name])) for name in events.column_names})

    def _budget_for(self, enricher: ConfiguredEnricher, rows: int) -> TimeBudget:
        """A new budget for each table, unless one was exhausted: then the enricher is not called again in this task."""
        last = self._budgets.get(enricher.name)
        if last is None or not last.is_exhausted:
            self._budgets[enricher.name] = TimeBudget(self._max_seconds, max(1, rows))
        return self._budgets[enricher.name]

    def close(self) -> dict[str, EnricherStats]:
        """The statistics of each enricher, with its own counters and information."""
        for each, (failed, counts) in zip(self._enrichers, self._before, strict=True):
            stats = self.stats.setdefault(each.name, EnricherStats())
            stats.failed += _failures_of(each) - failed
            stats.count({name: number - counts.get(name, 0) for name, number in _counts_of(each).items()})
            stats.info = _info_of(each)
        return self.stats


def _info_of(configured: ConfiguredEnricher) -> dict[str, Any]:
    info = getattr(configured.enricher, "info", None)
    try:
        facts: dict[str, Any] = msgspec.to_builtins(info()) if callable(info) else {}
    except Exception as error:  # missing information must not fail the task
        return {"error": f"{type(error).__name__}: {error}"}
    return facts


def _failures_of(configured: ConfiguredEnricher) -> int:
    count = getattr(configured.enricher, "failed", 0)
    return count if isinstance(count, int) else 0


def _counts_of(configured: ConfiguredEnricher) -> dict[str, int]:
    """A copy of the enricher's counters; values that are not integers are left out."""
    counts = getattr(configured.enricher, "counts", None)
    return {str(name): count for name, count in counts.items() if isinstance(count, int)} if isinstance(counts, dict) else {}


def _apply_to_enabled_apps(
    configured: ConfiguredEnricher, events: pa.Table, stats: EnricherStats, budget: TimeBudget
) -> pa.Table:
    """Apply an enricher to the events of the apps that it is enabled for; the rows stay in their order."""
    if not configured.excluded_apps:
        return _enrich_or_halve(configured, events, stats, budget)
    excluded = pc.is_in(events["app_id"], pa.array(configured.excluded_apps, pa.string()))
    rows = [pc.indices_nonzero(pc.invert(excluded)), pc.indices_nonzero(excluded)]
    parts = [_enrich_or_halve(configured, events.take(rows[0]), stats, budget), events.take(rows[1])]
    joined = pa.concat_tables(parts, promote_options="default")
    return joined.take(pc.sort_indices(pa.concat_arrays([each.cast(pa.int64()) for each in rows])))


def _enrich_or_halve(configured: ConfiguredEnricher, events: pa.Table, stats: EnricherStats, budget: TimeBudget) -> pa.Table:
    """Call an enricher; a table that it fails on is halved until the failing rows are isolated, which stay unchanged."""
    trusted = type(configured.enricher).__module__.startswith(_BUILT_IN)
    try:
        with nullcontext() if trusted else budget.limit_call(len(events)):
            return conform_to_schema(configured.enricher.enrich(events), events, trusted=trusted)
    except Exception as error:
        if len(events) <= 1 or budget.is_exhausted:
            stats.failed += len(events)
            stats.error = stats.error or f"{type(error).__name__}: {error}"
            return events
    half = len(events) // 2
    parts = [_enrich_or_halve(configured, part, stats, budget) for part in (events.slice(0, half), events.slice(half))]
    return pa.concat_tables(parts, promote_options="default").combine_chunks()


def _shorten_column(name: str, values: pa.Array) -> pa.Array:
    column = _KNOWN.get(name)
    return shorten_text(values, column.max_bytes) if column and column.max_bytes and not column.is_json else values
