"""The message of an ingest task to the driver: the files it wrote and what it counted. It travels as JSON text."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from streaming_app.ingest.write.enrich import EnricherStats
from streaming_app.ingest.write.latency import LatencyHistogram
from streaming_app.lake.files import DataFile
from streaming_app.model.times import is_time


class IngestCounts(msgspec.Struct):
    """Counters of a task or a batch; times are epoch ms."""

    files: int = 0
    forbidden: int = 0
    """Files that the job has no permission to read."""
    decoded_bytes: int = 0
    lines: int = 0
    received: int = 0
    duplicate: int = 0
    filtered: int = 0
    quarantined: dict[str, int] = msgspec.field(default_factory=dict)
    """Rejected elements by reason."""
    first_ingest_ms: int | None = None
    last_ingest_ms: int | None = None
    cpu_seconds: float = 0.0
    latency: LatencyHistogram = msgspec.field(default_factory=LatencyHistogram)

    def observe_ingest_time(self, ingest_ms: int | None) -> None:
        """Widen the range of receive times; a value outside of the time bounds is ignored, since it must not fail the batch."""
        if ingest_ms is not None and is_time(ingest_ms):
            self.first_ingest_ms = ingest_ms if self.first_ingest_ms is None else min(self.first_ingest_ms, ingest_ms)
            self.last_ingest_ms = ingest_ms if self.last_ingest_ms is None else max(self.last_ingest_ms, ingest_ms)

    def add(self, other: IngestCounts) -> None:
        """Add the counters of another task."""
        for name in ("files", "forbidden", "decoded_bytes", "lines", "received", "duplicate", "filtered", "cpu_seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, count in other.quarantined.items():
            self.quarantined[reason] = self.quarantined.get(reason, 0) + count
        self.latency.merge(other.latency)
        self.observe_ingest_time(other.first_ingest_ms)
        self.observe_ingest_time(other.last_ingest_ms)


class IngestReport(msgspec.Struct):
    """The result of one task or, from :func:`merge_reports`, of a whole batch; ``enrichers`` are by name."""

    files: list[DataFile]
    counts: IngestCounts
    enrichers: dict[str, EnricherStats] = msgspec.field(default_factory=dict)

    def of(self, table: str) -> list[DataFile]:
        """The files written for a table."""
        return [file for file in self.files if file.table == table]


def merge_reports(reports: Iterable[IngestReport]) -> IngestReport:
    """Merge the reports of several tasks into one."""
    whole = IngestReport([], IngestCounts())
    for report in reports:
        whole.files.extend(report.files)
        whole.counts.add(report.counts)
        for name, stats in report.enrichers.items():
            whole.enrichers.setdefault(name, EnricherStats()).add(stats)
    return whole
