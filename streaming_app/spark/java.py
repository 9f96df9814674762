"""Provides Java on a developer's machine: an installed one, else one downloaded by cjdk."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import cjdk

from streaming_app.errors import MissingDependencyError

SUPPORTED = (17, 21)
"""Versions that Spark 4.1 runs on."""


def ensure_java() -> None:
    """Ensure that ``JAVA_HOME`` (or ``java`` on the PATH) is a Java that Spark runs on.

    Raises:
        MissingDependencyError: there is none and none can be downloaded.
    """
    found = found_java()
    if found and java_version(found) in SUPPORTED:
        return
    try:
        os.environ["JAVA_HOME"] = str(cjdk.java_home(vendor="temurin", version=str(SUPPORTED[0])))
    except Exception as error:  # whatever the reason of the failed download, the remedy is the same
        there = f"Java {java_version(found)} is there" if found else "no Java is there"
        raise MissingDependencyError(
            f"{there} and none could be fetched ({error})",
            f"install Java {SUPPORTED[0]}, for example: apt-get install openjdk-{SUPPORTED[0]}-jre-headless",
        ) from None


def found_java() -> str | None:
    """The installed java executable: that of ``JAVA_HOME``, else the one on the PATH."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else shutil.which("java")


def java_version(executable: str) -> int | None:
    """Feature version of a java executable; None if it does not run.

    >>> java_version("/nowhere/java") is None
    True
    """
    try:
        command = [executable, "-version"]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stderr  # noqa: S603 - java
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(\d+)', shown)
    return int(match.group(1)) if match else None
