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

# Spark's default ignores files that are a week older than the newest one; a file that appears late is to be read.
_NEVER_TOO_OLD = "36500d"


def raw_files(spark: SparkSession, source: SourceSection, paths: Collection[str]) -> DataFrame:
    """A streaming frame of ``path`` and ``length`` (bytes) of each raw file in ``paths``, the source or what is in it.

    Its content column is never selected, so Spark lists the files but does not open them.
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
    return reader.load(_hadoop_glob(absolute(source.uri), paths)).select("path", "length")


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


def _hadoop_glob(root: str, paths: Collection[str]) -> str:
    """The paths as one Hadoop glob: Spark asks S3 once a folder, and a month has 700 of them.

    Each alternative in the braces has a slash in it: Hadoop then takes the braces apart and looks each of them up. Without one
    it would list the root and compare, which fails where any name in it has a colon.
    """
    if root in paths:
        return _escape_glob(root)
    below = sorted(path.removeprefix(f"{root}/") for path in paths) or [_NOWHERE]
    return f"{_escape_glob(root)}/{{{','.join(f'{_escape_in_braces(each)}/' for each in below)}}}"


_NOWHERE = "_/_"
"""A folder that does not exist, with a name that Spark would ignore as well."""


def _escape_glob(path: str) -> str:
    r"""A path as a glob of nothing but itself.

    >>> print(_escape_glob("a{1}"), _escape_in_braces("a{1}"))
    a\{1\} a\\\{1\\\}
    """
    return re.sub(r"[\\{}\[\]*?,]", r"\\\g<0>", path)


def _escape_in_braces(path: str) -> str:
    """The same for a place inside braces: Hadoop takes one level of backslashes away when it takes these apart."""
    return re.sub(r"[\\{},]", r"\\\g<0>", _escape_glob(path))
