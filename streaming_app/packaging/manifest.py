"""manifest.json: what was made, of what, for which machine."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from streaming_app import __version__
from streaming_app.packaging.target import Target


@dataclass(frozen=True)
class Made:
    """One file that is uploaded."""

    path: Path
    unpacked: int
    """Bytes of its content."""
    target: Target
    packages: dict[str, str]
    """Name and version of the distributions in it."""


def write_manifest(made: list[Made], path: Path) -> None:
    files = {each.path.name: _describe(each) for each in made}
    path.write_text(json.dumps({"version": __version__, "files": files}, indent=2) + "\n")


def _describe(made: Made) -> dict[str, object]:
    with made.path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return {
        "sha256": sha256,
        "size": made.path.stat().st_size,
        "unpacked": made.unpacked,
        "architecture": made.target.architecture,
        "python": made.target.python,
        "packages": made.packages,
    }
