"""``backfill``: processes the raw files of some days again, or for the first time, with a checkpoint of their own.

Events that are stored already are duplicates, and so are elements in quarantine: nothing is stored twice.
"""

from __future__ import annotations

from dataclasses import asdict

from streaming_app.backlog.source_partitions import SourcePartition
from streaming_app.backlog.unprocessed import Backlog, find_backlog
from streaming_app.commands.days import Days, find_raw_folders
from streaming_app.commands.operation import operation, resume_directory
from streaming_app.config.model import Config
from streaming_app.derive.stream import derive
from streaming_app.errors import SourceError
from streaming_app.ingest.stream import ingest
from streaming_app.metrics.progress import Progress
from streaming_app.metrics.summary import Summary
from streaming_app.model.run_metrics import BatchMetrics
from streaming_app.plugins.loading import open_enrichers
from streaming_app.spark.session import get_session
from streaming_app.storage.any_objects import AnyObjects
from streaming_app.storage.uris import absolute

PHASES = ("start", "ingest", "derive")


def plan(config: Config, days: Days) -> Backlog:
    """The raw files that a backfill of these days would read; fewer where one was interrupted.

    Raises:
        SourceError: there are no such folders.
    """
    return _backlog(config, days, config.checkpoint_uri(_name(days)))


def run(config: Config, days: Days, progress: Progress) -> Summary:
    """Process the raw files in the folders of some days, in bounded micro-batches; then update user and session.

    Raises:
        LockError: another process writes to these tables.
        SourceError: there are no such folders.
    """
    progress.phase("start")
    with operation(config, "backfill", {"from": str(days.first), "to": str(days.last)}) as this:
        summary = Summary(this.job_id)
        storage = this.lake.storage

        def batch_done(metrics: BatchMetrics) -> None:
            summary.add(metrics)
            progress.batch(metrics)

        open_enrichers(config, storage)
        with resume_directory(config, _name(days), storage) as checkpoint:
            backlog = _backlog(config, days, checkpoint)
            spark = get_session(config, storage)
            progress.phase("ingest")
            progress.backlog(backlog.files, backlog.bytes)
            if backlog:
                ingest(spark, config, this.lake, backlog, this.job_id, batch_done)
            progress.phase("derive")
            derive(spark, config, this.lake, summary)
        this.result = asdict(summary.counts)
        return summary


def _name(days: Days) -> str:
    return f"backfill/{days}"


def _backlog(config: Config, days: Days, checkpoint: str) -> Backlog:
    objects = AnyObjects(config.s3.endpoint, config.s3.region)
    folders, _ = find_raw_folders(config, days, objects)
    if not folders:
        raise SourceError(
            f"{config.source.uri}: there is no folder year=/month=/day= of {days}",
            "a backfill goes by these folders; files outside of them are read by `clickstream run` only",
        )
    source_partition = SourcePartition(f"backfill {days}", tuple(folders), absolute(checkpoint), fully_read=False)
    return find_backlog(source_partition, config.source.glob, objects)
