"""Writes the list of locked jars: the dependencies of Delta and S3A, except those that come with Spark."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from delta import configure_spark_with_delta_pip
from pyspark.sql import SparkSession

from streaming_app.config.shipped_files import conf_file
from streaming_app.spark.jars.ivy import retrieve, spark_jars
from streaming_app.spark.jars.lock import LOCK, Purpose, sha256_of

_HEAD = """# The jars of Delta and S3A: what their packages need and Spark does not bring, for the versions of pyspark and
# delta-spark in pyproject.toml, those of EMR Serverless, whose image has its own.
# Written by: python -m streaming_app.spark.jars --renew
"""


def packages(bundled: list[str]) -> dict[Purpose, str]:
    """Coordinates of the packages for the installed versions: Delta's as delta-spark itself would have a session fetch it, S3A's
    of the version of Hadoop that Spark brings.
    """
    delta = configure_spark_with_delta_pip(SparkSession.Builder())
    return {
        "delta": delta._options["spark.jars.packages"],
        "s3": f"org.apache.hadoop:hadoop-aws:{_version_of('hadoop-client-api', bundled)}",
    }


def renew() -> None:
    """Resolve the packages and write the list.

    Raises:
        IvyError: a package cannot be downloaded.
    """
    bundled = spark_jars()
    listed: dict[str, str] = {}
    for purpose, package in packages(bundled).items():
        with tempfile.TemporaryDirectory() as work:
            arrived = retrieve([package], Path(work), conf_file("spark/ivysettings.xml"), transitive=True)
            for coordinates, path in arrived.items():
                if not _version_of(coordinates.split(":")[1], bundled):
                    listed.setdefault(coordinates, _entry(purpose, coordinates, path))
    conf_file(LOCK).write_text(_HEAD + "".join(listed.values()))


def _entry(purpose: Purpose, coordinates: str, path: Path) -> str:
    fields = f'purpose = "{purpose}"\ncoordinates = "{coordinates}"\nsize = {path.stat().st_size}\n'
    return f'\n[[jar]]\n{fields}sha256 = "{sha256_of(path)}"\n'


def _version_of(artifact: str, bundled: list[str]) -> str:
    """The version of an artifact that comes with Spark; "" if it does not come with it."""
    names = (re.fullmatch(rf"{re.escape(artifact)}-(\d.*)\.jar", name) for name in bundled)
    return next((found[1] for found in names if found), "")
