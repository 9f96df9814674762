"""Ivy, Spark's own resolver of Maven artifacts, as a process of its own with a cache of its own."""

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
    """Ivy could not resolve or download something; the message is the line in which it says so."""


def retrieve(coordinates: Iterable[str], work: Path, settings: Path, *, transitive: bool = False) -> dict[str, Path]:
    """Download artifacts, and where asked for what they depend on, into a folder below ``work``: coordinates to files.

    Nothing outside ``work`` is read or written but the settings: neither the user's Ivy cache nor his Maven repository, which
    other programs fill at the same time.

    Raises:
        IvyError: something could not be had.
        MissingDependencyError: there is no Java.
    """
    ensure_java()
    module, files = work / "ivy.xml", work / "files"
    module.write_text(_MODULE.format("".join(_dependency(each, transitive=transitive) for each in coordinates)))
    # What Spark's own resolver would be started with: a proxy, say.
    options = shlex.split(os.environ.get("SPARK_SUBMIT_OPTS", ""))
    command = [found_java() or "java", *options, "-jar", str(_ivy_jar()), "-settings", str(settings), "-ivy", str(module)]
    command += ["-cache", str(work / "cache"), "-confs", "default"]
    command += [
        "-retrieve",
        "files/[organisation]/[artifact]/[revision].[ext]",
    ]  # brackets of a user's folder would mean something
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=work)  # noqa: S603 - java
    if done.returncode:
        raise IvyError(_reason(f"{done.stdout}\n{done.stderr}") or f"exit code {done.returncode}")
    return {":".join((*path.parts[-3:-1], path.stem)): path for path in sorted(files.glob("*/*/*.jar"))}


def _reason(said: str) -> str:
    """The line that tells most: what a server answered stands behind the list of what was not found.

    >>> _reason("x\\n\\t:: a#b;1: not found\\n:::: ERRORS\\n\\tServer access error at url u (Connection refused)\\n")
    'Server access error at url u (Connection refused)'
    """
    head, _, errors = said.partition(":::: ERRORS")
    found = _REASON.search(errors) or _REASON.search(head)
    return found[1] if found else ""


def _dependency(coordinates: str, *, transitive: bool) -> str:
    organisation, artifact, version = map(quoteattr, coordinates.split(":"))
    # Of a Maven module, "master" is its jar alone, "default" that and what it needs to run; a jar without a POM has the second.
    wanted = f'conf="default->{"default" if transitive else "master(default)"}" transitive="{str(transitive).lower()}"'
    return f"<dependency org={organisation} name={artifact} rev={version} {wanted}/>"


def spark_jars() -> list[str]:
    """Names of the jars that come with PySpark, found without importing it."""
    return sorted(path.name for path in _spark_folder().glob("*.jar"))


def _spark_folder() -> Path:
    home, spec = os.environ.get("SPARK_HOME"), find_spec("pyspark")
    if home:
        return Path(home, "jars")
    if spec is None or spec.origin is None:
        raise MissingDependencyError("pyspark is not installed", "pip install clickstream-lake")
    return Path(spec.origin).with_name("jars")


def _ivy_jar() -> Path:
    found = sorted(_spark_folder().glob("ivy-*.jar"))
    if not found:
        raise MissingDependencyError(f"{_spark_folder()}: Ivy's jar, part of every Spark, is not there", "install pyspark again")
    return found[-1]
