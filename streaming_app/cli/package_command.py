"""``clickstream package``: everything that is uploaded to AWS, made on this machine, without Docker."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from streaming_app.cli.terminal import console, say
from streaming_app.deploy.build import build
from streaming_app.deploy.manifest import Artifact
from streaming_app.deploy.sbom import FILE as SBOM
from streaming_app.deploy.target import Architecture, Target

log = logging.getLogger("clickstream")


def package(
    *,
    out: Annotated[Path, Parameter(help="folder to write to")] = Path("dist"),
    architecture: Annotated[Architecture, Parameter(help="of EMR Serverless and Lambda")] = "arm64",
    python: Annotated[str, Parameter(help="Python of the job")] = "3.11",
    lambda_python: Annotated[str, Parameter(help="Python of the Lambda that submits the job")] = "3.13",
    with_: Annotated[
        tuple[str, ...],
        Parameter(name="--with", negative="", help="package for the job, such as your plugins: folder, wheel or requirement"),
    ] = (),
) -> None:
    """Make what is uploaded to AWS: environment.tar.gz, main.py, submitter.zip, sbom.cdx.json and manifest.json.

    The libraries are those that are installed or locked here, as wheels for Amazon Linux 2023, so any machine will do. Spark
    and Delta are left out: EMR has its own.

    Example: clickstream package --with examples/segment_transformer
    """
    errors = console(stderr=True)
    job, function = Target(architecture, python), Target(architecture, lambda_python)
    if errors.is_terminal:
        with errors.status("") as status:
            made = build(out, job, function, with_, status.update)
    else:
        made = build(out, job, function, with_, log.info)
    for each in made:
        say(_describe(each))
    say(f"{out / SBOM}  lists all libraries and their licences, as CycloneDX")
    say(f"{out / 'manifest.json'}  says what is in them")


def _describe(made: Artifact) -> str:
    if not made.packages:
        return f"{made.path}"
    packed, unpacked = made.path.stat().st_size / 1e6, made.unpacked / 1e6
    return f"{made.path}  {packed:.1f} MB, {unpacked:.1f} MB unpacked, {len(made.packages)} packages, {made.target}"
