"""The Spark session of the job, with the reason for each setting."""

from __future__ import annotations

import os
import re
import sys
from typing import TypeAlias

from pyspark.sql import SparkSession

from streaming_app.config.java_options import SHORT_JOB_JVM
from streaming_app.config.model import Config
from streaming_app.errors import MissingDependencyError
from streaming_app.spark.jars.needed import jar_settings, packages_of_own, uses_s3
from streaming_app.spark.java import ensure_java
from streaming_app.spark.jvm_log import jvm_output_to_log
from streaming_app.spark.local_cluster import is_local_cluster, prepare_local_cluster
from streaming_app.spark.required_classes import is_submitted, require_classes
from streaming_app.storage.files import Storage
from streaming_app.storage.private_files import private_directory

Session: TypeAlias = SparkSession
"""Type for modules that only pass the session on; only this package calls Spark."""

SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    # The interface server costs a second of start and shows little of a batch of a minute; EMR keeps the event log.
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Delta reads its log with this many tasks (50 by default): tables of this job have few files per version.
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "64",
    # A reused worker has already imported its libraries.
    "spark.python.worker.reuse": "true",
    # One checkpoint file per batch is kept long enough to investigate problems.
    "spark.sql.streaming.minBatchesToRetain": "20",
    "spark.sql.streaming.stopActiveRunOnRestart": "true",
}

INTERPRETED = {
    # The JVM sees the names of files and the logs of tables, never their rows: to compile plans for so little costs a
    # second of a small run's 18 and saves one of a run over 4,000,000 events.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
"""Settings if no hook is configured: only the joins of hooks benefit from compiled plans."""

LOCAL_SETTINGS = {
    # Few and small shuffles on one machine: 200 partitions would be 200 tasks of a few rows.
    "spark.sql.shuffle.partitions": "4",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}


def is_running() -> bool:
    """Whether this process has a session already."""
    return SparkSession.getActiveSession() is not None


def get_session(config: Config, storage: Storage) -> SparkSession:
    """The session to run with: the one that spark-submit set up, or a local one.

    Raises:
        MissingDependencyError: Java, a jar or a class is missing.
    """
    submitted = is_submitted()  # then it knows the master and the jars
    builder = SparkSession.builder.appName(f"clickstream-{config.project_id}")
    for key, value in {**SETTINGS, **({} if config.derive.hooks else INTERPRETED)}.items():
        builder = builder.config(key, value)
    if not submitted:
        ensure_java()
        # Workers must run this very interpreter, not whatever "python3" is on the PATH.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        master = config.spark.master or "local[*]"
        builder = builder.master(master)
        here = prepare_local_cluster(master) if is_local_cluster(master) else _authentication(master)
        for key, value in {**LOCAL_SETTINGS, **_local_jvm(config), **here}.items():
            builder = builder.config(key, value)
    if uses_s3(config):
        for key, value in storage.spark_conf().items():
            builder = builder.config(key, value)
    for key, value in {**config.spark.conf, **({} if submitted else jar_settings(config))}.items():
        builder = builder.config(key, value)
    if not submitted and (own := packages_of_own(config)):
        from delta import configure_spark_with_delta_pip  # noqa: PLC0415 - not in the package for a cluster, which has the jars

        builder = configure_spark_with_delta_pip(builder, own)
    try:
        with jvm_output_to_log():
            session = builder.getOrCreate()
    except Exception as error:  # py4j has no narrower class for a JVM that does not come up
        raise MissingDependencyError(
            f"Spark does not start: {error}", "Java must be 17 or 21; the log of Java says more"
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    require_classes(session, s3=uses_s3(config), submitted=submitted)
    return session


def _authentication(master: str) -> dict[str, str]:
    """Connections to the ports of a session need its secret, which Spark generates where all is in one process.

    On a cluster of your own, set it as ``spark.authenticate.secret``.
    """
    return {"spark.authenticate": "true"} if re.fullmatch(r"local(\[[\d*, ]+\])?", master) else {}


def _local_jvm(config: Config) -> dict[str, str]:
    return {
        "spark.driver.memory": config.spark.driver_memory,
        "spark.driver.extraJavaOptions": SHORT_JOB_JVM,
        "spark.executor.extraJavaOptions": SHORT_JOB_JVM,
        # Hadoop's own is a folder in /tmp whose name everyone knows; S3A keeps there what it uploads.
        "spark.hadoop.hadoop.tmp.dir": str(private_directory("hadoop")),
    }
