"""Sets raw files aside: each becomes a row of quarantine, by name; ``replay`` reads them once they are readable."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping

from streaming_app.backlog.set_aside import format_record, record_uri, set_aside_files
from streaming_app.backlog.source_partitions import SourcePartition
from streaming_app.backlog.unprocessed import Backlog, still_unread
from streaming_app.errors import Reason
from streaming_app.ingest.batch import Batch
from streaming_app.ingest.commit.batch_metrics import Timing
from streaming_app.ingest.commit.commit import commit_batch
from streaming_app.ingest.task_report import IngestCounts, IngestReport
from streaming_app.ingest.write.quarantine_rows import QuarantineRows
from streaming_app.lake.lake import Lake
from streaming_app.model.client_text import storable
from streaming_app.model.request import Request
from streaming_app.model.run_metrics import BatchMetrics
from streaming_app.plugins.transformer import Rejected
from streaming_app.storage.any_objects import AnyObjects
from streaming_app.storage.objects import Objects

log = logging.getLogger("clickstream")

_LOGGED = 20

STAGE = "file"


def set_aside_report(batch: Batch, whys: Mapping[str, str]) -> IngestReport:
    """Write a row of quarantine for each file; ``whys`` are the reasons by URI."""
    for uri, why in list(whys.items())[:_LOGGED]:
        log.warning("%s is set aside: %s", storable(uri), storable(why))
    rows = QuarantineRows(batch, f"set-aside-{batch.batch_id:05d}-{uuid.uuid4().hex[:8]}")
    for uri, why in whys.items():
        name = storable(uri)
        rows.add_line(Request(source_file=name), Rejected(Reason.UNREADABLE_FILE, why), STAGE, "")
    counts = IngestCounts(files=len(whys), received=len(whys), quarantined=rows.by_reason)
    return IngestReport(rows.close(), counts)


def set_aside(odd: Mapping[str, str], batch: Batch, source_partition: SourcePartition, lake: Lake) -> BatchMetrics:
    """Commit files as a micro-batch of their own, then record that they are done; returns its row of ``run_metrics``.

    If killed between the two steps, the next run repeats both: the rows in quarantine then count as duplicates.
    """
    metrics = commit_batch(batch, set_aside_report(batch, odd), Timing(0.0, 0), lake)
    before = set_aside_files(AnyObjects(batch.config.s3.endpoint, batch.config.s3.region), source_partition)
    batch.storage.write_text(record_uri(source_partition), format_record(before, odd))
    return metrics


def find_passed_over_files(backlog: Backlog, glob: str, objects: Objects) -> dict[str, str]:
    """Files that the stream has not read although it is complete: Spark skips their names, or takes them for other names."""
    return dict.fromkeys(still_unread(backlog, glob, objects), "Spark passes over it: give it another name")
