"""The whole job on one screen: source → backlog → ingest → derive → summary."""

from __future__ import annotations

from datetime import UTC, datetime

from streaming_app.backlog.derive_log import derive_is_behind
from streaming_app.backlog.source_partitions import SourcePartition, due_partitions, mark_uri
from streaming_app.backlog.unprocessed import find_backlog
from streaming_app.config.model import Config
from streaming_app.derive.stream import derive
from streaming_app.environment import lock_lake
from streaming_app.errors import SourceError
from streaming_app.ingest.commit.recovery import roll_back_incomplete_batch
from streaming_app.ingest.stream import ingest
from streaming_app.lake.lake import Lake
from streaming_app.metrics.progress import Progress
from streaming_app.metrics.summary import Summary
from streaming_app.model.run_metrics import BatchMetrics
from streaming_app.plugins.loading import open_enrichers
from streaming_app.spark.required_classes import require_submitted_classes
from streaming_app.spark.session import get_session
from streaming_app.storage.any_objects import AnyObjects


def run(config: Config, progress: Progress, job_id: str | None = None) -> Summary:
    """Process every raw file that is unprocessed now, once, and update the derived tables.

    Where nothing is unprocessed, Spark is not started.

    Raises:
        LockError: another process writes to these tables.
        MissingDependencyError: spark-submit brought no Delta.
        ClickstreamError: with a hint; whatever was committed stays, the next run goes on from there.
    """
    job = job_id or f"{config.project_id}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    progress.phase("start")
    require_submitted_classes()
    with lock_lake(config, f"run {job}") as lake:
        return _run(config, lake, Summary(job), progress)


def _run(config: Config, lake: Lake, summary: Summary, progress: Progress) -> Summary:
    storage = lake.storage

    def batch_done(metrics: BatchMetrics) -> None:
        summary.add(metrics)
        progress.batch(metrics)

    def mark_fully_read(partition: SourcePartition) -> None:
        if not partition.fully_read:
            storage.write_text(mark_uri(config, partition), "")

    with summary.measure_time("start"):
        # 1. What is wrong with the configuration shows before any data is touched.
        if not storage.is_folder(config.source.uri):
            raise SourceError(f"{config.source.uri}: there is no such folder", "check source.uri and your rights on it")
        open_enrichers(config, storage)
        # 2. Restore what a killed run left incomplete; create or migrate the tables.
        roll_back_incomplete_batch(config, lake)
        lake.create_all()
        # 3. Find the backlog: raw files without a commit.
        objects = AnyObjects(config.s3.endpoint, config.s3.region)
        backlogs = [find_backlog(each, config.source.glob, objects) for each in due_partitions(config, objects)]
        for backlog in backlogs:
            if not backlog:
                mark_fully_read(backlog.source_partition)
        if not any(backlogs) and not derive_is_behind(config, objects):
            return summary
        spark = get_session(config, storage)
    # 4. INGEST: raw files become rows of event, item, change, quarantine and run_metrics.
    progress.phase("ingest")
    progress.backlog(sum(each.files for each in backlogs), sum(each.bytes for each in backlogs))
    for backlog in filter(None, backlogs):
        ingest(spark, config, lake, backlog, summary.job_id, batch_done)
        mark_fully_read(backlog.source_partition)
    # 5. DERIVE: new rows of event and change update user, session and item_attributes.
    progress.phase("derive")
    derive(spark, config, lake, summary)
    return summary
