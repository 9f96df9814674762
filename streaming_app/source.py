"""The raw files as a stream of their names: which of them are unprocessed is the checkpoint's knowledge, nobody else's."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from streaming_app.config.model import Config
from streaming_app.uris import absolute

DEFAULT_BATCH_BYTES = 1 << 30

# A file that appears late is as good as any other. Spark's default would pass over files a week older than the newest.
_NEVER_TOO_OLD = "36500d"


def raw_files(spark: SparkSession, config: Config) -> DataFrame:
    """A streaming frame of ``path`` and ``length`` (bytes) of each raw file.

    Its content column is never asked for, so Spark lists the files but does not open them.
    """
    source = config.source
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
    return reader.load(absolute(source.uri)).select("path", "length")
