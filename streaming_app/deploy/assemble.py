"""Folders of unpacked wheels for another platform: the project and its requirements, without what is not needed there."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from streaming_app.deploy.locked_hashes import hashes_in, with_hashes
from streaming_app.deploy.project import NAME, in_checkout, locked_requirements, pin, requirements_of
from streaming_app.deploy.target import Target
from streaming_app.deploy.uv import Uv
from streaming_app.errors import MissingDependencyError

log = logging.getLogger("clickstream")


@dataclass(frozen=True)
class Recipe:
    """What goes into a folder beside the project itself."""

    extras: tuple[str | None, ...]
    """The extras of the project whose requirements are taken; None stands for those of the project itself."""
    left_out: frozenset[str]
    """Distributions that the target has of its own, or has no use for."""


# EMR's image has its own Spark and Delta, patched by Amazon: a second copy would hide them. aiohttp is for geoip2's web service,
# which the job never calls.
ENVIRONMENT = Recipe((None, "report"), frozenset({"pyspark", "py4j", "delta-spark", "aiohttp"}))
# Lambda's runtime has boto3; Arrow, DuckDB and Spark are the job's, and more than a Lambda could hold.
SUBMITTER = Recipe(("submitter",), frozenset({"boto3", "botocore", "s3transfer"}))

# Tests and C headers are 29 MB of the 503 that the job's libraries take. Scripts and records of the installation name folders
# of this machine, so that no two archives would be the same; nothing reads them where nothing is installed or removed.
_NEVER_NEEDED = (
    "pandas/tests",
    "numpy/**/tests",
    "pyarrow/tests",
    "pyarrow/include",
    "**/__pycache__",
    "bin",
    ".lock",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
    "*.dist-info/uv_*.json",
)


def assemble(uv: Uv, target: Target, recipe: Recipe, added: Iterable[str], project: Path, folder: Path) -> dict[str, str]:
    """Fill a folder, which is to be made, and return the distributions in it with their versions.

    Raises:
        MissingDependencyError: uv cannot do it, or a library is not, byte for byte, what was locked.
    """
    work = folder.with_name(f"{folder.name}.work")
    work.mkdir()
    requirements, left_out, resolved = (work / f"{name}.txt" for name in ("requirements", "left_out", "resolved"))
    requirements.write_text("\n".join([*(each for extra in recipe.extras for each in requirements_of(project, extra)), *added]))
    left_out.write_text("\n".join(sorted({NAME, *recipe.left_out})))  # the project is there already, whoever requires it
    shutil.copytree(project, folder)
    export_locked = locked_requirements(uv)
    uv.resolve(target, ["--excludes", str(left_out), *pin(export_locked, target, work, resolved)], requirements, resolved)
    text, unlocked = with_hashes(resolved.read_text(), hashes_in(export_locked))
    if unlocked and in_checkout():
        _check_added(unlocked, added)
    resolved.write_text(text)
    uv.install(target, ["--requirements", resolved], folder)
    _strip(folder)
    return {each.name: each.version for each in sorted(metadata.distributions(path=[str(folder)]), key=lambda each: each.name)}


def _check_added(unlocked: list[str], added: Iterable[str]) -> None:
    """What a user adds brings libraries that no lock knows; without that, there is none."""
    log.info("not in uv.lock, so not compared with it: %s", ", ".join(unlocked))
    if not list(added):
        raise MissingDependencyError(f"uv.lock has no hash for {', '.join(unlocked)}", "lock them: uv lock")


def _strip(folder: Path) -> None:
    for pattern in _NEVER_NEEDED:
        for path in list(folder.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
