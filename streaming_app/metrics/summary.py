"""The summary of a run: sums over its micro-batches and wall seconds by phase."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields

import msgspec

from streaming_app.errors import Reason
from streaming_app.model.run_metrics import BatchMetrics


@dataclass
class RunCounts:
    """Sums over the micro-batches of a run; each field as in ``run_metrics``."""

    files: int = 0
    bytes: int = 0
    received: int = 0
    written: int = 0
    duplicate: int = 0
    filtered: int = 0
    quarantined: int = 0
    items: int = 0
    late: int = 0

    def add(self, metrics: BatchMetrics) -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(metrics, each.name))


@dataclass
class Summary:
    """Counts as in ``run_metrics``; ``seconds`` by phase: start, ingest, commit, derive states, derive user, derive session.

    ``cpu_seconds``: of workers in the parse stage, of the driver in dedupe and commit. ``latency_p95_seconds``: from event to
    table, of the slowest micro-batch.
    """

    job_id: str
    batches: int = 0
    counts: RunCounts = field(default_factory=RunCounts)
    quarantined_by_reason: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    latency_p95_seconds: float | None = None
    set_aside: int = 0
    """Raw files that could not be read at all."""
    keys_set_aside: int = 0
    """Users and items whose rows could not be computed; ``quarantine`` names them."""

    def add(self, metrics: BatchMetrics) -> None:
        """Add one micro-batch."""
        self.batches += 1
        self.counts.add(metrics)
        for reason, count in metrics.quarantined_by_reason.items():
            self.quarantined_by_reason[reason] = self.quarantined_by_reason.get(reason, 0) + count
        self.set_aside = self.quarantined_by_reason.get(Reason.UNREADABLE_FILE, 0)
        self._add_seconds("ingest", metrics.pass_seconds)
        self._add_seconds("commit", metrics.commit_seconds)
        for phase, seconds in (("ingest", metrics.pass_cpu_seconds), ("commit", metrics.commit_cpu_seconds)):
            self.cpu_seconds[phase] = round(self.cpu_seconds.get(phase, 0.0) + seconds, 3)
        if (latency := metrics.latency_p95_seconds) is not None:
            self.latency_p95_seconds = max(self.latency_p95_seconds or 0.0, round(latency, 3))

    @contextmanager
    def measure_time(self, phase: str) -> Iterator[None]:
        """Add the wall time of the block to a phase."""
        began = time.monotonic()
        yield
        self._add_seconds(phase, time.monotonic() - began)

    def _add_seconds(self, phase: str, seconds: float) -> None:
        self.seconds[phase] = round(self.seconds.get(phase, 0.0) + seconds, 3)

    def balance(self) -> str:
        """The balance as one line for people."""
        c = self.counts
        return (
            f"received {c.received:,} = written {c.written:,} + duplicate {c.duplicate:,} "
            f"+ filtered {c.filtered:,} + quarantined {c.quarantined:,}"
        )

    def describe(self) -> str:
        """The summary as a few lines for people."""
        aside = self._describe_set_aside()
        if not self.batches:
            return "\n".join(["nothing new to process", *aside])
        seconds = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in self.seconds.items())
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(self.quarantined_by_reason.items()))
        lines = [f"{self.counts.files:,} files, micro-batches: {self.batches} ({seconds})", f"balance: {self.balance()}"]
        if reasons:
            lines.append(f"quarantined: {reasons}")
        return "\n".join([*lines, *aside])

    def _describe_set_aside(self) -> list[str]:
        counts = {
            "raw files that cannot be read": self.set_aside,
            "users and items whose rows cannot be computed": self.keys_set_aside,
        }
        return [f"set aside: {count:,} {what}; clickstream tables check names them" for what, count in counts.items() if count]

    def as_json(self) -> str:
        return msgspec.json.encode(asdict(self)).decode()
