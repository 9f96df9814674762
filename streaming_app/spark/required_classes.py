"""Checks that the JVM has the required classes; the error for a missing one is a single line with the remedy."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JError, Py4JJavaError

from streaming_app.errors import MissingDependencyError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession  # the command line imports this module and no Spark

DELTA = "org.apache.spark.sql.delta.DeltaLog"
_S3A = "org.apache.hadoop.fs.s3a.S3AFileSystem"
_AWS_SDK = "software.amazon.awssdk.services.s3.S3Client"
"""A class that S3A needs: its own classes load without it, but fail at the first object."""

_MISSING = re.compile(r"(?:ClassNotFoundException|NoClassDefFoundError): (?:Class |Could not initialize class )?([\w./$]*[\w$])")

HERE = (
    "python -m streaming_app.spark.jars --checksums fetches what is missing or damaged; where spark.conf names "
    "spark.jars.packages, that must bring it; clickstream doctor shows where jars are"
)
ON_A_CLUSTER = (
    "spark-submit's spark.jars or the image must bring it; on EMR set emr.delta_jars in pipeline.yaml to the paths of Delta's "
    "jars on the image of this release"
)


def is_submitted() -> bool:
    """Whether spark-submit started this process, and with it the JVM."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def require_submitted_classes() -> None:
    """Load a class of Delta if spark-submit started this process: its jars are all there will be, so nothing is written without.

    Raises:
        MissingDependencyError: it cannot be loaded.
    """
    if not is_submitted():
        return  # the session of this process fetches what is missing
    from pyspark import SparkContext  # noqa: PLC0415 - half a second that other commands need not pay

    SparkContext._ensure_initialized()
    _load(SparkContext._jvm, DELTA, ON_A_CLUSTER)


def require_classes(session: SparkSession, *, s3: bool, submitted: bool) -> None:
    """Load the classes that the first write needs: one of Delta, and those of the file system for s3:// if that is used.

    Raises:
        MissingDependencyError: one cannot be loaded.
    """
    names = [DELTA]
    if s3:
        hadoop = session.sparkContext._jsc.hadoopConfiguration()
        file_system = hadoop.get("fs.s3.impl") or _S3A
        names += [file_system, _AWS_SDK] if file_system == _S3A else [file_system]
    for name in names:
        _load(session._jvm, name, ON_A_CLUSTER if submitted else HERE)


def _load(jvm: Any, name: str, remedy: str) -> None:
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    try:
        loader.loadClass(name)
    except Py4JError as error:
        said = error.java_exception.toString() if isinstance(error, Py4JJavaError) else str(error)
        raise MissingDependencyError(f"the class {name} cannot be loaded ({said}): {_what(name)}", remedy) from error


def missing_class(said: str) -> MissingDependencyError | None:
    """The error for a missing class that is named in an error of the JVM or its causes; None if it names none.

    >>> str(missing_class("Caused by: java.lang.ClassNotFoundException: Class org.apache.hadoop.fs.s3a.S3AFileSystem not found"))
    'the class org.apache.hadoop.fs.s3a.S3AFileSystem cannot be loaded: the jars for S3 are missing, damaged or of other versions'
    >>> missing_class("java.lang.OutOfMemoryError: Java heap space") is None
    True
    """
    found = _MISSING.search(said)
    if found is None:
        return None
    name = found[1].replace("/", ".")
    return MissingDependencyError(f"the class {name} cannot be loaded: {_what(name)}", HERE)


def _what(name: str) -> str:
    if "delta" in name:
        whose = "Delta's jars"
    elif "s3" in name.lower() or "awssdk" in name:
        whose = "the jars for S3"
    else:
        whose = "jars"
    return f"{whose} are missing, damaged or of other versions"
