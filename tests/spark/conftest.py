"""One Spark session for all tests of this process: starting one costs more than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from streaming_app.plugins.load_config import parse_config
from streaming_app.spark.session import get_session
from streaming_app.storage.files import Storage

FAST = """
spark:
  master: local[2]
  conf:
    spark.sql.shuffle.partitions: "1"         # a test has a handful of rows: more would be empty tasks
    spark.default.parallelism: "2"
    spark.sql.adaptive.enabled: "false"       # nothing to adapt, and its planning is paid per query
    spark.databricks.delta.snapshotPartitions: "1"
"""


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """The product's own session, tuned for tiny data."""
    config = parse_config(
        f"project_id: t\nsource: {{uri: /t}}\nsink: {{uri: /t}}\napps: {{shop: {{transformer: clickstream_sdk}}}}\n{FAST}"
    )
    session = get_session(config, Storage())
    yield session
    session.stop()
