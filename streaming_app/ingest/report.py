"""What a task of the pass tells the driver: the files it wrote and what it counted. Travels as JSON text."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from streaming_app.ingest.write.ages import Ages
from streaming_app.ingest.write.enrich import Use
from streaming_app.lake.files import DataFile
from streaming_app.model.bounds import is_time


class Counts(msgspec.Struct):
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
    ages: Ages = msgspec.field(default_factory=Ages)

    def saw(self, ingest_ms: int | None) -> None:
        if ingest_ms is not None and is_time(ingest_ms):  # a time that is none must not fail the batch
            self.first_ingest_ms = ingest_ms if self.first_ingest_ms is None else min(self.first_ingest_ms, ingest_ms)
            self.last_ingest_ms = ingest_ms if self.last_ingest_ms is None else max(self.last_ingest_ms, ingest_ms)

    def add(self, other: Counts) -> None:
        for name in ("files", "forbidden", "decoded_bytes", "lines", "received", "duplicate", "filtered", "cpu_seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, count in other.quarantined.items():
            self.quarantined[reason] = self.quarantined.get(reason, 0) + count
        self.ages.add(other.ages)
        self.saw(other.first_ingest_ms)
        self.saw(other.last_ingest_ms)


class Report(msgspec.Struct):
    """One task's, or by :func:`merged` a whole batch's, result; ``enrichers`` by their names."""

    files: list[DataFile]
    counts: Counts
    enrichers: dict[str, Use] = msgspec.field(default_factory=dict)

    def of(self, table: str) -> list[DataFile]:
        return [file for file in self.files if file.table == table]


def merged(reports: Iterable[Report]) -> Report:
    whole = Report([], Counts())
    for report in reports:
        whole.files.extend(report.files)
        whole.counts.add(report.counts)
        for name, use in report.enrichers.items():
            whole.enrichers.setdefault(name, Use()).add(use)
    return whole
