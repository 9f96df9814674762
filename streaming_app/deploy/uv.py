"""uv, which resolves, downloads and unpacks wheels for any platform."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from streaming_app.deploy.target import Target
from streaming_app.errors import MissingDependencyError

CHECKOUT = Path(__file__).parents[2]
_NAME = "uv.exe" if os.name == "nt" else "uv"


class Uv:
    """Runs uv.

    Raises:
        MissingDependencyError: uv is missing, or could not do what it was asked; the message is uv's own.
    """

    def __init__(self) -> None:
        self._executable = find_uv()

    def build_wheel(self, source: Path, folder: Path) -> Path:
        """Build the wheel of a project, the only new file in ``folder``; of this one by the locked build backend alone."""
        there = set(folder.glob("*.whl"))
        with tempfile.TemporaryDirectory(prefix="clickstream-build-") as work:
            options = self._locked_backend(Path(work)) if source == CHECKOUT and (CHECKOUT / "uv.lock").is_file() else []
            self._run(f"build {source}", "build", "--wheel", "--quiet", *options, "--out-dir", str(folder), str(source))
        [made] = set(folder.glob("*.whl")) - there
        return made

    def export_locked(self, project: Path) -> str:
        """The versions of a project's uv.lock and their hashes, as requirements that hold for every platform."""
        return self._export(project, "--all-extras", "--no-dev")

    def _locked_backend(self, folder: Path) -> list[str]:
        """Options by which a build takes what it needs from the lock, and refuses anything else."""
        constraints = folder / "build.txt"
        constraints.write_text(self._export(CHECKOUT, "--only-group", "build"))
        return ["--build-constraints", str(constraints), "--require-hashes"]

    def _export(self, project: Path, *options: str) -> str:
        always = ["--frozen", "--no-emit-project", "--no-annotate", "--no-header"]
        return self._run(f"read {project / 'uv.lock'}", "export", "--quiet", "--project", str(project), *always, *options)

    def resolve(self, target: Target, options: Sequence[str], requirements: Path, resolved: Path) -> None:
        """Write what is needed to ``resolved``, one version each; versions that stand there are kept where they can be."""
        options = ["--no-annotate", "--no-header", *options, "--output-file", str(resolved), str(requirements)]
        self._run(f"find wheels for {target}", "pip", "compile", "--quiet", *_wheels_for(target), *options)

    def install(self, target: Target, requirements: Iterable[str | Path], folder: Path) -> None:
        """Unpack wheels into a folder, without what they require. One that has not the hash it is given with is refused."""
        options = ["--no-deps", "--target", str(folder), *map(str, requirements)]
        self._run(f"install wheels for {target}", "pip", "install", "--quiet", *_wheels_for(target), *options)

    def _run(self, purpose: str, *arguments: str) -> str:
        # Bytecode would be this interpreter's and not the target's; `make` asks for it in the development environment.
        variables = {**os.environ, "UV_COMPILE_BYTECODE": "0", "NO_COLOR": "1"}
        command = [self._executable, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)  # noqa: S603 - uv
        if done.returncode:
            said = " ".join(done.stderr.split()).removeprefix("error: ")
            raise MissingDependencyError(f"uv could not {purpose}: {said}", _hint(said))
        return done.stdout


def find_uv() -> str:
    """uv as `uv run` names it, on the PATH, beside this interpreter, or where the Makefile puts it."""
    places = [shutil.which(_NAME), Path(sys.executable).with_name(_NAME), CHECKOUT / ".uv" / "bin" / _NAME]
    for place in (os.environ.get("UV"), *places):
        if place and Path(place).is_file():
            return str(place)
    raise MissingDependencyError("uv is missing: it fetches the libraries for the machines of AWS", "pip install uv")


def _wheels_for(target: Target) -> list[str]:
    platform = ["--python-platform", target.platform, "--python-version", target.python]
    return ["--python", sys.executable, *platform, "--only-binary", ":all:"]


def _hint(said: str) -> str:
    if "unexpected argument" in said:
        return "uv is too old: pip install --upgrade uv"
    if "ash mismatch" in said:
        return "what the index gives is not what was locked: find out why before you lock it again"
    if "wheel" in said:
        return "only wheels can be packaged: choose a version that has one for this platform"
    if "unsatisfiable" in said:
        return "the versions of this project are kept as they were tested; choose a requirement that goes with them"
    return "a package index must be reachable; UV_DEFAULT_INDEX names another one"
