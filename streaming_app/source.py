"""The raw files as a stream of their names: which of them are unprocessed is the checkpoint's knowledge, nobody else's."""

from __future__ import annotations

import re

from pyspark.sql import DataFrame, SparkSession

from streaming_app.backlog.unprocessed import MOST_PLACES, Backlog
from streaming_app.config.model import Source
from streaming_app.uris import absolute

DEFAULT_BATCH_BYTES = 1 << 30

# A file that appears late is as good as any other. Spark's default would pass over files a week older than the newest.
_NEVER_TOO_OLD = "36500d"


def raw_files(spark: SparkSession, source: Source, backlog: Backlog) -> DataFrame:
    """A streaming frame of ``path`` and ``length`` (bytes) of each raw file of a window.

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
    return reader.load(_where(absolute(source.uri), backlog)).select("path", "length")


def _where(root: str, backlog: Backlog) -> str:
    """Where unprocessed files lie, as one Hadoop glob: Spark asks S3 once a folder, and a month has 700 of them."""
    narrow = 0 < len(backlog.places) <= MOST_PLACES
    places = backlog.places if narrow else {each.uri for each in backlog.window.roots}
    if root in places:
        return _literal(root)
    below = sorted(_literal(place.removeprefix(f"{root}/")) for place in places)
    return f"{_literal(root)}/{{{','.join(below)}}}"


def _literal(path: str) -> str:
    """A path as a glob: `?` for what means something else there. A backslash would not do, Hadoop loses it inside braces."""
    return re.sub(r"[\\{}\[\]*,]", "?", path)
