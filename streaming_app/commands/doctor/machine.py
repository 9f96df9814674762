"""Checks of this machine: Java, Python, packages, jars, Spark."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from streaming_app.commands.doctor.finding import Finding, Pipeline
from streaming_app.spark.jars.folder import jars_folder
from streaming_app.spark.jars.lock import faults
from streaming_app.spark.jars.needed import PACKAGES, needed_jars
from streaming_app.spark.java import SUPPORTED, found_java, java_version

_DISTRIBUTION = "clickstream-lake"
_PINNED = ("pyspark", "delta-spark")
_EMR_PYTHON = "3.11"
"""Python of EMR Serverless, for which the package of the job is made."""


def java() -> Iterator[Finding]:
    found = found_java()
    number = java_version(found) if found else None
    if number in SUPPORTED:
        yield Finding("java", "ok", f"Java {number}: {found}")
        return
    wanted = " or ".join(map(str, SUPPORTED))
    yield Finding(
        "java",
        "warning",
        f"Java {number} at {found}, Spark needs {wanted}" if found else f"no Java is here, Spark needs {wanted}",
        f"the first run fetches one; where the network does not allow that: apt-get install openjdk-{SUPPORTED[0]}-jre-headless",
    )


def python() -> Iterator[Finding]:
    other = "" if platform.python_version().startswith(f"{_EMR_PYTHON}.") else f"; the job on EMR runs {_EMR_PYTHON}"
    yield Finding("python", "ok", f"Python {platform.python_version()}{other}")


def packages() -> Iterator[Finding]:
    """Spark and Delta in the versions that this application is made for: those of EMR."""
    for name, wanted in _pinned_versions().items():
        try:
            there = version(name)
        except PackageNotFoundError:
            yield Finding("packages", "problem", f"{name} is not installed", f"pip install {name}=={wanted}")
            continue
        if there == wanted:
            yield Finding("packages", "ok", f"{name} {there}")
        else:
            yield Finding("packages", "problem", f"{name} {there}, not {wanted}", f"pip install {name}=={wanted}")


def _pinned_versions() -> dict[str, str]:
    """The exact versions that this distribution requires."""
    found = (re.match(r"([\w-]+)==([\w.]+)", each) for each in requires(_DISTRIBUTION) or ())
    return {each[1]: each[2] for each in found if each and each[1] in _PINNED}


def jars(pipeline: Pipeline, *, checksums: bool = False) -> Iterator[Finding]:
    """The jars that a session of this configuration needs are in their folder; with ``checksums``, byte for byte."""
    wanted, folder = needed_jars(pipeline.config), jars_folder()
    if "PYSPARK_GATEWAY_PORT" in os.environ or not wanted:
        yield Finding("jars", "ok", "are brought by spark-submit" if wanted else f"are brought by {PACKAGES} of spark.conf")
        return
    lacking = faults(wanted, folder, checksums=checksums)
    if lacking:
        said = "; ".join(f"{jar.file_name} {fault}" for jar, fault in lacking.items())
        remedy = "fetch what is missing or damaged: python -m streaming_app.spark.jars --checksums"
        yield Finding("jars", "warning", f"in {folder}: {said}", remedy)
    else:
        yield Finding("jars", "ok", f"all {len(wanted)} are in {folder}")


def spark(pipeline: Pipeline) -> Iterator[Finding]:
    """Whether a session comes up with Delta's jars in it; it stays if it was there before."""
    from streaming_app.spark.session import get_session, is_running  # noqa: PLC0415 - half a second that only --spark pays

    was_there = is_running()
    session = get_session(pipeline.config, pipeline.storage)  # which loads Delta's classes, and those for S3
    try:
        yield Finding("spark", "ok", f"Spark {session.version} starts, with Delta{' and S3A' if pipeline.uses_s3 else ''}")
    finally:
        if not was_there:
            session.stop()
