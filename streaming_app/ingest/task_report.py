"""What a task of the pass tells the driver: the files it wrote and what it counted. Travels as JSON text."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from streaming_app.ingest.write.latency import LatencyHistogram
from streaming_app.ingest.write.enrich import EnricherStats
from streaming_app.lake.files import WrittenFile
from streaming_app.model.bounds import is_time


class IngestCounts(msgspec.Struct):
    """Counters of a task or a batch; times are epoch ms."""

    files: int = 0
    forbidden: int = 0
    """Files that could not be read for lack of a right."""
    decoded_bytes: int = 0
    lines: int = 0
    received: int = 0
    duplicate: int = 0
    filtered: int = 0
    quarantined: dict[str, int] = msgspec.field(default_factory=dict)
    first_ingest_ms: int | None = None
    last_ingest_ms: int | None = None
    cpu_seconds: float = 0.0
    latency: LatencyHistogram = msgspec.field(default_factory=LatencyHistogram)

    def observe_ingest_time(self, ingest_ms: int | None) -> None:
        if ingest_ms is not None and is_time(ingest_ms):  # a time that is none must not fail the batch
            self.first_ingest_ms = ingest_ms if self.first_ingest_ms is None else min(self.first_ingest_ms, ingest_ms)
            self.last_ingest_ms = ingest_ms if self.last_ingest_ms is None else max(self.last_ingest_ms, ingest_ms)

    def add(self, other: IngestCounts) -> None:
        for name in ("files", "forbidden", "decoded_bytes", "lines", "received", "duplicate", "filtered", "cpu_seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, count in other.quarantined.items():
            self.quarantined[reason] = self.quarantined.get(reason, 0) + count
        self.latency.merge(other.latency)
        self.observe_ingest_time(other.first_ingest_ms)
        self.observe_ingest_time(other.last_ingest_ms)


class IngestReport(msgspec.Struct):
    """One task's, or by :func:`merge_reports` a whole batch's, result; ``enrichers`` by their names."""

    files: list[WrittenFile]
    counts: IngestCounts
    enrichers: dict[str, EnricherStats] = msgspec.field(default_factory=dict)

    def of(self, table: str) -> list[WrittenFile]:
        return [file for file in self.files if file.table == table]


def merge_reports(reports: Iterable[IngestReport]) -> IngestReport:
    whole = IngestReport([], IngestCounts())
    for report in reports:
        whole.files.extend(report.files)
        whole.counts.add(report.counts)
        for name, use in report.enrichers.items():
            whole.enrichers.setdefault(name, EnricherStats()).add(use)
    return whole
