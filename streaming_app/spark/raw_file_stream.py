"""Streams the names of raw files: Spark's checkpoint keeps track of the processed ones."""

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
    """The files of a micro-batch that are not empty, from the plan of the query.

    Spark has no public API for that. If the plan is not one of open source Spark, the rows are read instead; for these, Spark
    requests each file once more, and fails if one does not exist any more.
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
    """The paths as one Hadoop glob, since Spark makes a request for each path that it is given, and a month has 700 folders.

    Each alternative in the braces contains a slash: Hadoop then expands the braces and looks up each alternative. Without a slash
    it would list the root and compare names, which fails if any name has a colon.
    """
    if root in paths:
        return _escape_glob(root)
    below = sorted(path.removeprefix(f"{root}/") for path in paths) or [_NOWHERE]
    return f"{_escape_glob(root)}/{{{','.join(f'{_escape_in_braces(each)}/' for each in below)}}}"


_NOWHERE = "_/_"
"""A folder that does not exist, with a name that Spark would ignore as well."""


def _escape_glob(path: str) -> str:
    r"""A glob that matches exactly this path.

    >>> print(_escape_glob("a{1}"), _escape_in_braces("a{1}"))
    a\{1\} a\\\{1\\\}
    """
    return re.sub(r"[\\{}\[\]*?,]", r"\\\g<0>", path)


def _escape_in_braces(path: str) -> str:
    """A path as an alternative inside braces: Hadoop removes one level of backslashes when it expands the braces."""
    return re.sub(r"[\\{},]", r"\\\g<0>", _escape_glob(path))
