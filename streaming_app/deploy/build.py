"""Building everything that is uploaded, in one folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from streaming_app.config.shipped_files import conf_file
from streaming_app.deploy import archive
from streaming_app.deploy.assemble import ENVIRONMENT, SUBMITTER, assemble
from streaming_app.deploy.manifest import Artifact, write_manifest
from streaming_app.deploy.project import unpack_project
from streaming_app.deploy.sbom import FILE as SBOM
from streaming_app.deploy.sbom import describe_libraries, write_sbom
from streaming_app.deploy.target import Target
from streaming_app.deploy.template import NESTED as TEMPLATES
from streaming_app.deploy.uv import Uv
from streaming_app.errors import ConfigError, MissingDependencyError

LAMBDA_BYTES = 250 * 1024 * 1024
"""What Lambda takes, unpacked."""


def build(out: Path, job: Target, function: Target, added: Sequence[str], report: Callable[[str], None]) -> list[Artifact]:
    """Make environment.tar.gz and main.py for the job, submitter.zip for the function that starts it, the stack's templates of
    tables and queries, the list of all libraries (sbom.cdx.json), and manifest.json.

    Args:
        out: folder to write to; other files in it are left alone.
        job, function: where each is to run.
        added: packages for the job beside the project: requirements, wheels, or folders with a pyproject.toml.
        report: called with a line about each step.

    Raises:
        MissingDependencyError: uv or a wheel is missing, or the function would be too large.
        ConfigError: something in ``added`` is not there.
    """
    uv = Uv()
    out.mkdir(parents=True, exist_ok=True)
    (out / "manifest.json").unlink(missing_ok=True)  # it would describe other files if this is interrupted
    with tempfile.TemporaryDirectory(prefix="clickstream-package-") as temporary:
        project = Path(temporary) / "project"
        report("packing this project")
        unpack_project(uv, job, project)
        made = [
            _environment(uv, job, [_wheel(uv, each, Path(temporary)) for each in added], project, out, report),
            _entry(job, out),
            _submitter(uv, function, project, out, report),
        ]
    for name in TEMPLATES:
        shutil.copyfile(conf_file(f"infra/{name}"), out / name)
    write_sbom({each.path.name: each.libraries for each in made if each.libraries}, out / SBOM)
    write_manifest(made, out / SBOM, [out / name for name in TEMPLATES], out / "manifest.json")
    return made


def _environment(
    uv: Uv, target: Target, added: Sequence[str], project: Path, out: Path, report: Callable[[str], None]
) -> Artifact:
    folder, path = project.with_name("environment"), out / "environment.tar.gz"
    report(f"fetching the job's libraries ({target})")
    packages = assemble(uv, target, ENVIRONMENT, added, project, folder)
    report(f"compressing {path.name}")
    archive.write_tar_gz(folder, path)
    return Artifact(path, archive.size_of(folder), target, packages, describe_libraries(folder))


def _entry(target: Target, out: Path) -> Artifact:
    path = out / "main.py"
    shutil.copyfile(Path(__file__).parents[1] / "cli" / "__main__.py", path)
    return Artifact(path, path.stat().st_size, target, {})


def _submitter(uv: Uv, target: Target, project: Path, out: Path, report: Callable[[str], None]) -> Artifact:
    folder, path = project.with_name("submitter"), out / "submitter.zip"
    report(f"making {path.name} ({target})")
    packages = assemble(uv, target, SUBMITTER, [], project, folder)
    made = Artifact(path, archive.size_of(folder), target, packages, describe_libraries(folder))
    check_fits(made)
    archive.write_zip(folder, path)
    return made


def check_fits(function: Artifact) -> None:
    """Refuse a zip that is larger than Lambda accepts."""
    if function.unpacked > LAMBDA_BYTES:
        raise MissingDependencyError(
            f"{function.path.name} would be {function.unpacked:,} bytes unpacked, Lambda takes {LAMBDA_BYTES:,}",
            f"leave something out of the extra {SUBMITTER.extras[0]!r} in pyproject.toml: {', '.join(function.packages)}",
        )


def _wheel(uv: Uv, added: str, folder: Path) -> str:
    """What uv can install for another machine: a folder is built first; a wheel or a requirement is that already."""
    path = Path(added).resolve()
    if (path / "pyproject.toml").is_file():
        return str(uv.build_wheel(path, folder))
    if path.is_file() and path.suffix == ".whl":
        return str(path)
    if path.exists() or "/" in added.partition("@")[0]:
        raise ConfigError(f"--with {added}: no folder with a pyproject.toml and no wheel", "give one, or a name on an index")
    return added
