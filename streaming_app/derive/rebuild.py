"""User and session made anew from ``event`` for some users."""

from __future__ import annotations


from pyspark.sql import SparkSession

from streaming_app.config.model import Config
from streaming_app.tables.delta import Sink


def rebuild_stale_users(spark: SparkSession, config: Config, sink: Sink, job_id: str) -> None:
    ...
