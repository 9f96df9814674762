"""Which files of ``event`` and ``change`` are new: a stream of the two tables, and the files of each micro-batch of it."""

from __future__ import annotations

import logging

from py4j.protocol import Py4JError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from streaming_app.lake.lake import Lake
from streaming_app.model.tables import CHANGE, EVENT, Table
from streaming_app.spark.micro_batch_plan import leaves_of, scala_list
from streaming_app.spark.tasks import SizedFile
from streaming_app.storage.uris import absolute, from_spark_url

BATCH_BYTES = 64 << 20
"""Size of the event files in one micro-batch: about a million events, whose states (some 75 MB) the driver combines."""

NewFiles = dict[str, list[SizedFile]]
"""By table; the tag of a file is its app_id."""

log = logging.getLogger("clickstream")


def new_files(spark: SparkSession, lake: Lake) -> DataFrame:
    """A streaming frame with a row for each new row of both tables: ``path`` of its file, ``app_id`` and ``table``."""
    return _new_files(spark, lake, EVENT).union(_new_files(spark, lake, CHANGE))


def _new_files(spark: SparkSession, lake: Lake, table: Table) -> DataFrame:
    return (
        spark.readStream.format("delta")
        # A commit that takes events away (an erasure, a rebuild) is no news: it brings user and session along itself.
        .option("skipChangeCommits", "true")
        .option("maxBytesPerTrigger", BATCH_BYTES)
        .load(absolute(lake.uri(table)))
        # Spark says which files are new, the workers read them. Selected here, no other column is read by the JVM.
        .select(F.input_file_name().alias("path"), "app_id", F.lit(table.name).alias("table"))
    )


def files_of(spark: SparkSession, batch: DataFrame, stream_id: str) -> NewFiles:
    """The files of a micro-batch, as the plan of the query that ``spark`` runs names them.

    Spark has no public name for these. Where the plan is not one of open source Spark and Delta, the rows tell: one for each
    event, 1.8 CPU-microseconds.
    """
    try:
        return planned(spark, stream_id)
    except (Py4JError, AttributeError, LookupError) as error:
        log.info("the plan does not name the new files, their rows are read: %s", error)
        return told_by_rows(batch)


def planned(spark: SparkSession, stream_id: str) -> NewFiles:
    """The files by the plan of the micro-batch that runs.

    Raises:
        Py4JError, AttributeError, LookupError: it is another kind of plan.
    """
    found: NewFiles = {EVENT.name: [], CHANGE.name: []}
    for leaf in leaves_of(spark, stream_id):
        if leaf.getClass().getSimpleName() == "LocalRelation" and leaf.data().isEmpty():
            continue  # a table without news
        index = leaf.relation().location()
        root = index.path().toUri().toString()
        found[index.path().getName()] += (
            SizedFile(from_spark_url(f"{root}/{file.path()}"), file.size(), file.partitionValues().apply("app_id"))
            for file in scala_list(index.addFiles())
        )
    return found


def told_by_rows(batch: DataFrame) -> NewFiles:
    """The files by the rows of the micro-batch; their sizes are not known, and 1."""
    found: NewFiles = {EVENT.name: [], CHANGE.name: []}
    for row in batch.distinct().collect():
        found[row["table"]].append(SizedFile(from_spark_url(row["path"]), 1, row["app_id"]))
    return found
