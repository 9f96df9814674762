"""Runs hooks: custom functions over the new events of a micro-batch, for joins in Spark.

Only hooks bring events into the JVM: a pipeline without hooks has no cost from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import DataFrame

from streaming_app.config.model import Config
from streaming_app.errors import PluginError
from streaming_app.lake.commit import TransactionId
from streaming_app.lake.lake import Lake
from streaming_app.model.tables import EVENT
from streaming_app.plugins.registry import load_function
from streaming_app.spark.session import Session
from streaming_app.storage.uris import absolute

Hook = Callable[[DataFrame], DataFrame]
"""Gets new events with all columns of ``event``; its result is appended to the hook's table."""


def run_hooks(spark: Session, uris: Sequence[str], config: Config, lake: Lake, transaction: TransactionId) -> None:
    """Call every configured hook with the events of some new files, and append the results, once per micro-batch.

    Raises:
        PluginError: a hook failed; the micro-batch is not lost, the next run calls the hook again.
    """
    if not config.derive.hooks or not uris:
        return
    events = new_events(spark, uris, lake)
    for hook in config.derive.hooks:
        function: Hook = load_function(hook.function)
        try:
            rows = function(events)
            _append_once(rows, f"{config.sink.uri.rstrip('/')}/{hook.table}", transaction)
        except Exception as error:
            first_line = str(error).strip().partition("\n")[0]
            raise PluginError(
                f"derive hook {hook.function}: {type(error).__name__}: {first_line}",
                "fix it, or remove it from derive.hooks; the next run calls it again for the same events",
            ) from error


def new_events(spark: Session, uris: Sequence[str], lake: Lake) -> DataFrame:
    """The rows of some files of ``event``, its partition columns included."""
    schema = ", ".join(f"`{column.name}` {column.type}" for column in EVENT.columns)
    root = absolute(lake.uri(EVENT))
    return spark.read.schema(schema).option("basePath", root).parquet(*uris)


def _append_once(rows: DataFrame, uri: str, transaction: TransactionId) -> None:
    stream_id, batch_id = transaction
    writer = rows.write.format("delta").mode("append").option("mergeSchema", "true")
    writer.option("txnAppId", stream_id).option("txnVersion", batch_id).save(absolute(uri))
