"""Writing the list of jars: what the packages of Delta and S3A need, less what comes with Spark."""

from __future__ import annotations

import re
import tempfile
from importlib.metadata import version
from pathlib import Path

from streaming_app.jars.ivy import retrieve, spark_jars
from streaming_app.jars.lock import LOCK, Purpose, sha256_of
from streaming_app.resources import conf_file

_HEAD = """# The jars of Delta and S3A: what their packages need and Spark does not bring, for the versions of pyspark and
# delta-spark in pyproject.toml, those of EMR Serverless, whose image has its own.
# Written by: python -m streaming_app.jars --renew
"""


def packages(delta: str, spark: str, bundled: list[str]) -> dict[Purpose, str]:
    """Coordinates of the packages for versions of delta-spark and Spark; S3A has that of the Hadoop that Spark brings.

    >>> packages("4.2.0", "4.1.1", ["hadoop-client-api-3.4.2.jar", "scala-library-2.13.17.jar"])["delta"]
    'io.delta:delta-spark_4.1_2.13:4.2.0'
    """
    spark_line, scala = (_major_and_minor(each) for each in (spark, _version_of("scala-library", bundled)))
    return {
        "delta": f"io.delta:delta-spark_{spark_line}_{scala}:{delta}",
        "s3": f"org.apache.hadoop:hadoop-aws:{_version_of('hadoop-client-api', bundled)}",
    }


def renew() -> None:
    """Write the list, from what the registry has.

    Raises:
        IvyError: a package cannot be had.
    """
    bundled = spark_jars()
    listed: dict[str, str] = {}
    for purpose, package in packages(version("delta-spark"), version("pyspark"), bundled).items():
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
    """The version in which Spark brings an artifact, "" where it does not."""
    names = (re.fullmatch(rf"{re.escape(artifact)}-(\d.*)\.jar", name) for name in bundled)
    return next((found[1] for found in names if found), "")


def _major_and_minor(number: str) -> str:
    return ".".join(number.split(".")[:2])
