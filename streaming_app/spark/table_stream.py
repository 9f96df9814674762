"""Streams new data files of Delta tables: Delta's source finds the new files, the tasks read them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from streaming_app.lake.lake import Lake, live_files, stored_bytes
from streaming_app.model.tables import TABLES, USER, Table
from streaming_app.spark.streams import MicroBatch, leaves_of, scala_list
from streaming_app.spark.tasks import SizedFile, parallelism
from streaming_app.storage.files import Storage
from streaming_app.storage.uris import absolute, from_spark_url

BATCH_BYTES_PER_CORE = 32 << 20
"""Stored bytes of a table's files in one micro-batch, for each task at a time: about half a million events."""

MAX_BATCH_BYTES = 16 << 30
"""Stored bytes of a micro-batch beyond which the number of stored users does not make it larger: 200,000,000 events."""

log = logging.getLogger("clickstream")


@dataclass(frozen=True, slots=True)
class TableFile(SizedFile):
    """A data file of a table that is partitioned by app and day; ``table`` is the table's name."""

    table: str
    app_id: str
    day: date


NewFiles = dict[str, list[TableFile]]
"""Files by the names of their tables."""


def table_files(lake: Lake, table: Table, apps: Collection[str] | None = None) -> list[TableFile]:
    """All files of a table, or those of some apps."""
    root = lake.uri(table)
    return [
        TableFile(f"{root}/{file.path}", file.size, table.name, file.app_id, file.day)
        for file in live_files(lake.open(table), apps)
    ]


def new_files(spark: SparkSession, lake: Lake, tables: Iterable[Table]) -> DataFrame:
    """A streaming frame with a row for each new row of some tables: ``path`` of its file, ``table`` and the partition."""
    batch_bytes = _batch_bytes(lake, parallelism(spark))
    first, *others = (_new_rows(spark, lake, table, batch_bytes) for table in tables)
    for each in others:
        first = first.union(each)
    return first


def _batch_bytes(lake: Lake, cores: int) -> int:
    """Stored bytes of a micro-batch: at least as much as there is of the users, since each may write all of them again."""
    return max(BATCH_BYTES_PER_CORE * cores, min(stored_bytes(lake.open(USER)), MAX_BATCH_BYTES))


def _new_rows(spark: SparkSession, lake: Lake, table: Table, batch_bytes: int) -> DataFrame:
    return (
        spark.readStream.format("delta")
        # The command that removes rows (erase, rebuild) updates user and session itself.
        .option("skipChangeCommits", "true")
        .option("maxBytesPerTrigger", batch_bytes)
        .load(absolute(lake.uri(table)))
        # Spark finds the new files, the workers read them. With this selection the JVM reads no other column.
        .select(F.input_file_name().alias("path"), F.lit(table.name).alias("table"), *table.partition_by)
    )


def files_of(spark: SparkSession, batch: MicroBatch, storage: Storage) -> NewFiles:
    """The files of a micro-batch, from the plan of the query that ``spark`` runs.

    Spark has no public API for that. If the plan is not one of open source Spark and Delta, the rows are read instead, which
    takes 1.8 CPU-microseconds an event.
    """
    try:
        return files_from_plan(spark, batch)
    except (Py4JError, AttributeError, LookupError) as error:
        log.info("the plan does not name the new files, their rows are read: %s", error)
        return files_from_rows(batch, storage)


def files_from_plan(spark: SparkSession, batch: MicroBatch) -> NewFiles:
    """The files from the plan of the running micro-batch.

    Raises:
        Py4JError, AttributeError, LookupError: it is another kind of plan.
    """
    found: NewFiles = {name: [] for name in TABLES}
    for leaf in leaves_of(spark, batch.stream_id):
        if leaf.getClass().getSimpleName() == "LocalRelation" and leaf.data().isEmpty():
            continue  # a table without new rows
        index = leaf.relation().location()
        root = index.path().toUri().toString()
        table = index.path().getName()
        found[table] += (
            _table_file(from_spark_url(f"{root}/{file.path()}"), file.size(), table, file.partitionValues().apply)
            for file in scala_list(index.addFiles())
        )
    return found


def files_from_rows(batch: MicroBatch, storage: Storage) -> NewFiles:
    """The files from the rows of the micro-batch, and their sizes from the storage."""
    found: NewFiles = {name: [] for name in TABLES}
    for row in batch.frame.distinct().collect():
        uri = from_spark_url(row["path"])
        system, path = storage.filesystem(uri)
        found[row["table"]].append(_table_file(uri, system.get_file_info(path).size or 0, row["table"], row.__getitem__))
    return found


def _table_file(uri: str, size: int, table: str, value: Callable[[str], Any]) -> TableFile:
    """A file, by the values of its partition."""
    year, month, day = (int(value(name)) for name in ("year", "month", "day"))
    return TableFile(uri, size, table, value("app_id"), date(year, month, day))
