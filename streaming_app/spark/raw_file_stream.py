"""The raw files as a stream of their names: which of them are unprocessed is known from the checkpoint alone."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection

from py4j.protocol import Py4JError
from pyspark.sql import DataFrame, SparkSession

from streaming_app.config.model import SourceSection
from streaming_app.spark.streams import MicroBatch, leaves_of, scala_list
from streaming_app.spark.tasks import SizedFile
from streaming_app.storage.uris import absolute, from_hadoop_path

log = logging.getLogger("clickstream")

DEFAULT_BATCH_BYTES = 1 << 30

# A file that appears late is as good as any other. Spark's default would pass over files a week older than the newest.
_NEVER_TOO_OLD = "36500d"


def raw_files(spark: SparkSession, source: SourceSection, places: Collection[str]) -> DataFrame:
    """A streaming frame of ``path`` and ``length`` (bytes) of each raw file in ``places``, folders below the source or itself.

    Its content column is never asked for, so Spark lists the files but does not open them.
    """
    reader = (
        spark.readStream.format("binaryFile")
        .schema("path string, modificationTime timestamp, length bigint, content binary")
        .option("recursiveFileLookup", "true")
        .option("pathGlobFilter", source.glob)
        .option("maxFileAge", _NEVER_TOO_OLD)
    )
    if source.max_files_per_batch:
        reader = reader.option("maxFilesPerTrigger", source.max_files_per_batch)
    else:
        reader = reader.option("maxBytesPerTrigger", source.max_bytes_per_batch or DEFAULT_BATCH_BYTES)
    return reader.load(_where(absolute(source.uri), places)).select("path", "length")


def files_of(spark: SparkSession, batch: MicroBatch) -> list[SizedFile]:
    """The files of a micro-batch that have at least a byte, as the plan of the query names them.

    Spark has no public API for that. Where the plan is not one of open source Spark, the rows are read instead; but for these
    Spark looks up each file once more, and fails where one is not there any more.
    """
    try:
        return files_from_plan(spark, batch)
    except (Py4JError, AttributeError, LookupError) as error:
        log.info("the plan does not name the files, their rows are read: %s", error)
        return [SizedFile(from_hadoop_path(row["path"]), row["length"]) for row in batch.frame.collect()]


def files_from_plan(spark: SparkSession, batch: MicroBatch) -> list[SizedFile]:
    found = [
        SizedFile(from_hadoop_path(status.getPath().toString()), status.getLen())
        for leaf in leaves_of(spark, batch.stream_id)
        for status in scala_list(leaf.relation().location().allFiles())
    ]
    return [file for file in found if file.size]


def _where(root: str, places: Collection[str]) -> str:
    """Where unprocessed files lie, as one Hadoop glob: Spark asks S3 once a folder, and a month has 700 of them.

    Each alternative in the braces has a slash in it: Hadoop then takes the braces apart and looks each of them up. Without one
    it would list the root and compare, which fails where any name in it has a colon.
    """
    if root in places:
        return _literal(root)
    below = sorted(place.removeprefix(f"{root}/") for place in places) or [_NOWHERE]
    return f"{_literal(root)}/{{{','.join(f'{_literal_in_braces(each)}/' for each in below)}}}"


_NOWHERE = "_/_"
"""A folder that there is not, whose name Spark would not look at either."""


def _literal(path: str) -> str:
    r"""A path as a glob of nothing but itself.

    >>> print(_literal("a{1}"), _literal_in_braces("a{1}"))
    a\{1\} a\\\{1\\\}
    """
    return re.sub(r"[\\{}\[\]*?,]", r"\\\g<0>", path)


def _literal_in_braces(path: str) -> str:
    """The same for a place inside braces: Hadoop takes one level of backslashes away when it takes these apart."""
    return re.sub(r"[\\{},]", r"\\\g<0>", _literal(path))
