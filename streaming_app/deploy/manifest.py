"""manifest.json: the built files, their contents and the platform."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streaming_app import __version__
from streaming_app.deploy.target import Target
from streaming_app.lake.layout import LAYOUT_VERSION


@dataclass(frozen=True)
class Artifact:
    """One file that is uploaded."""

    path: Path
    unpacked: int
    """Bytes of its content."""
    target: Target
    packages: dict[str, str]
    """Name and version of the distributions in it."""
    libraries: Sequence[dict[str, Any]] = ()
    """The same as the components of an SBOM, see :mod:`streaming_app.deploy.sbom`."""


def write_manifest(made: list[Artifact], sbom: Path, templates: Sequence[Path], path: Path) -> None:
    """Write it; ``templates`` are those that the stack takes from the same folder.

    ``table_layout``: an older release refuses tables of a newer one.
    """
    document = {
        "version": __version__,
        "table_layout": LAYOUT_VERSION,
        "files": {each.path.name: _describe(each) for each in made},
        "templates": {each.name: _sha256(each) for each in templates},
        "sbom": {"file": sbom.name, "sha256": _sha256(sbom)},
    }
    path.write_text(json.dumps(document, indent=2) + "\n")


def _describe(made: Artifact) -> dict[str, object]:
    return {
        "sha256": _sha256(made.path),
        "size": made.path.stat().st_size,
        "unpacked": made.unpacked,
        "architecture": made.target.architecture,
        "python": made.target.python,
        "packages": made.packages,
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
