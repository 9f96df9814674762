"""The DERIVE query: new rows of ``event`` and ``change`` update ``user``, ``session`` and ``item_attributes``."""

from __future__ import annotations

from streaming_app.config.model import Config
from streaming_app.derive.hooks import run_hooks
from streaming_app.derive.rebuild import rebuild_stale_users
from streaming_app.derive.update import Update
from streaming_app.lake.commit import TransactionId
from streaming_app.lake.lake import Lake
from streaming_app.metrics.summary import Summary
from streaming_app.model.tables import CHANGE, EVENT
from streaming_app.spark.session import Session
from streaming_app.spark.streams import MicroBatch, run_available_now
from streaming_app.spark.table_stream import files_of, new_files


def derive(spark: Session, config: Config, lake: Lake, summary: Summary) -> None:
    """Run the query until the derived tables include every event and change that existed at its start."""

    def process(batch: MicroBatch) -> None:
        with summary.measure_time("derive files"):
            files = files_of(spark, batch, lake.storage)
        transaction = TransactionId(batch.stream_id, batch.batch_id)
        Update(config, lake, summary, transaction, files, batch.session).run()
        run_hooks(batch.session, [file.uri for file in files[EVENT.name]], config, lake, transaction)

    run_available_now(new_files(spark, lake, (EVENT, CHANGE)), config.checkpoint_uri("derive"), process)
    with summary.measure_time("rebuild"):
        summary.keys_set_aside += len(rebuild_stale_users(config, lake, summary.job_id))
