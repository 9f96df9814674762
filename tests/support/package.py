"""What ``clickstream package`` makes, by the command in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streaming_app.deploy import uv
from streaming_app.deploy.target import Target
from streaming_app.errors import MissingDependencyError

ROOT = Path(__file__).parents[2]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"  # so that this interpreter can load what is compiled
HERE, ELSEWHERE = ("x86_64", "arm64") if os.uname().machine == "x86_64" else ("arm64", "x86_64")
"""Architectures: this machine's, and the other one."""
WITH_PLUGIN = ("--with", str(ROOT / "examples" / "segment_transformer"))


@dataclass(frozen=True)
class Package:
    architecture: str
    folder: Path

    @property
    def environment(self) -> Path:
        return self.folder / "unpacked" / "environment"

    @property
    def submitter(self) -> Path:
        return self.folder / "unpacked" / "submitter"

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.folder / "manifest.json").read_text())

    def packages(self, file: str) -> dict[str, str]:
        return self.manifest["files"][file]["packages"]

    def unpack(self) -> None:
        with tarfile.open(self.folder / "environment.tar.gz") as tar:
            tar.extractall(self.environment, filter="data")
        with zipfile.ZipFile(self.folder / "submitter.zip") as packed:
            packed.extractall(self.submitter)  # noqa: S202 - made by ourselves


def skip_without_uv() -> None:
    try:
        uv.find_uv()
    except MissingDependencyError as error:
        pytest.skip(f"NO PACKAGE WAS MADE: {error}; {error.hint}")


def made_in_checkout(work: Path, architecture: str) -> tuple[Package, str]:
    """With a user's plugin; and what the command printed."""
    package = Package(architecture, work / "dist")
    output = _clickstream_package(package)
    package.unpack()
    return package, output


def made_by_wheel(work: Path, architecture: str) -> Package:
    """The same where the project is installed from its wheel, as it is for people without a checkout."""
    wheel = uv.Uv().build_wheel(ROOT, work / "wheel")
    uv.Uv().install(Target(architecture, PYTHON), [wheel], work / "site")  # pure Python: it goes for any machine
    package = Package(architecture, work / "dist")
    _clickstream_package(package, PYTHONPATH=str(work / "site"), UV=str(uv.find_uv()))
    package.unpack()
    return package


def _clickstream_package(package: Package, **variables: str) -> str:
    """Output of the command; an index out of reach skips, so that the rest can be tested offline."""
    command = [sys.executable, "-c", "from streaming_app.cli import main; main()", "package", "--lambda-python", PYTHON]
    command += ["--python", PYTHON, "--out", str(package.folder), "--architecture", package.architecture, *WITH_PLUGIN]
    pipes: dict[str, Any] = {"capture_output": True, "text": True, "cwd": package.folder.parent}
    done = subprocess.run(command, env={**os.environ, **variables}, timeout=500, check=False, **pipes)
    if "Failed to fetch" in done.stderr:
        pytest.skip(f"NO PACKAGE WAS MADE: no package index can be reached: {done.stderr[-500:]}")
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stdout
