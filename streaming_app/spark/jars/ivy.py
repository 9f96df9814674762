"""Runs Ivy, Spark's resolver of Maven artifacts, in a separate process with a separate cache."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import quoteattr

from streaming_app.errors import MissingDependencyError
from streaming_app.spark.java import ensure_java, found_java

_MODULE = """<ivy-module version="2.0">
  <info organisation="clickstream" module="jars"/>
  <configurations><conf name="default"/></configurations>
  <dependencies>{}</dependencies>
</ivy-module>"""
_REASON = re.compile(r"^\s*(?::: )?(\S.*(?:[Ee]rror|[Ee]xception|FAILED|failed|not found).*?)\s*$", re.MULTILINE)


class IvyError(MissingDependencyError):
    """Ivy could not resolve or download an artifact; the message is the relevant line of its output."""


def retrieve(coordinates: Iterable[str], work: Path, settings: Path, *, transitive: bool = False) -> dict[str, Path]:
    """Download artifacts, with their dependencies if ``transitive``, into a folder below ``work``; returns files by coordinates.

    Apart from the settings, nothing outside of ``work`` is read or written: neither the user's Ivy cache nor the local Maven
    repository, to which other programs may write at the same time.

    Raises:
        IvyError: an artifact could not be downloaded.
        MissingDependencyError: there is no Java.
    """
    ensure_java()
    module, files = work / "ivy.xml", work / "files"
    module.write_text(_MODULE.format("".join(_dependency(each, transitive=transitive) for each in coordinates)))
    # The options that Spark's own resolver would be started with, such as a proxy.
    options = shlex.split(os.environ.get("SPARK_SUBMIT_OPTS", ""))
    command = [found_java() or "java", *options, "-jar", str(_ivy_jar()), "-settings", str(settings), "-ivy", str(module)]
    command += ["-cache", str(work / "cache"), "-confs", "default"]
    command += [
        "-retrieve",
        "files/[organisation]/[artifact]/[revision].[ext]",
    ]  # brackets in the name of a user's folder would be interpreted
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=work)  # noqa: S603 - java
    if done.returncode:
        raise IvyError(_reason(f"{done.stdout}\n{done.stderr}") or f"exit code {done.returncode}")
    return {":".join((*path.parts[-3:-1], path.stem)): path for path in sorted(files.glob("*/*/*.jar"))}


def _reason(said: str) -> str:
    """The most informative line of Ivy's output: a server's response comes after the list of artifacts that were not found.

    >>> _reason("x\\n\\t:: a#b;1: not found\\n:::: ERRORS\\n\\tServer access error at url u (Connection refused)\\n")
    'Server access error at url u (Connection refused)'
    """
    head, _, errors = said.partition(":::: ERRORS")
    found = _REASON.search(errors) or _REASON.search(head)
    return found[1] if found else ""


def _dependency(coordinates: str, *, transitive: bool) -> str:
    organisation, artifact, version = map(quoteattr, coordinates.split(":"))
    # In a Maven module, "master" is the jar only, "default" includes its dependencies; a jar without a POM has only "default".
    wanted = f'conf="default->{"default" if transitive else "master(default)"}" transitive="{str(transitive).lower()}"'
    return f"<dependency org={organisation} name={artifact} rev={version} {wanted}/>"


def spark_jars() -> list[str]:
    """Names of the jars that come with PySpark, found without importing it."""
    return sorted(path.name for path in (spark_home() / "jars").glob("*.jar"))


def spark_home() -> Path:
    """The folder of Spark: ``SPARK_HOME``, else that of PySpark.

    Raises:
        MissingDependencyError: there is none.
    """
    home, spec = os.environ.get("SPARK_HOME"), find_spec("pyspark")
    if home:
        return Path(home)
    if spec is None or spec.origin is None:
        raise MissingDependencyError("pyspark is not installed", "pip install clickstream-lake")
    return Path(spec.origin).parent


def _ivy_jar() -> Path:
    folder = spark_home() / "jars"
    found = sorted(folder.glob("ivy-*.jar"))
    if not found:
        raise MissingDependencyError(f"{folder}: Ivy's jar, part of every Spark, is not there", "install pyspark again")
    return found[-1]
