"""sbom.cdx.json: which libraries are in the package, under which licences, as CycloneDX, which scanners read.

The same for the same package: neither a time nor a random number is in it. Source: CycloneDX 1.6, JSON.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from streaming_app import __version__
from streaming_app.deploy.project import NAME

FILE = "sbom.cdx.json"

Sbom = dict[str, Sequence[dict[str, Any]]]
"""Libraries of each file of the package, by its name."""


def describe_libraries(folder: Path) -> list[dict[str, Any]]:
    """A component for each distribution in a folder of unpacked wheels, by name."""
    found = sorted(metadata.distributions(path=[str(folder)]), key=lambda each: each.name.lower())
    return [_component(each) for each in found]


def write_sbom(parts: Sbom, path: Path) -> None:
    """Write the libraries of each file of the package, by the file's name."""
    files = [
        {"type": "file", "bom-ref": name, "name": name, "components": [_within(name, each) for each in components]}
        for name, components in parts.items()
    ]
    content = json.dumps(files, sort_keys=True)
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{NAME} {__version__} {content}')}",
        "version": 1,
        "metadata": {"component": _project()},
        "components": files,
        "dependencies": [{"ref": _project()["bom-ref"], "dependsOn": list(parts)}, *_dependencies(files)],
    }
    path.write_text(json.dumps(document, indent=2) + "\n")


def _project() -> dict[str, Any]:
    return {"type": "application", "bom-ref": NAME, "name": NAME, "version": __version__, "purl": _purl(NAME, __version__)}


def _component(found: metadata.Distribution) -> dict[str, Any]:
    purl = _purl(found.name, found.version)
    licences = _licences(found.metadata)
    return {
        "type": "library",
        "bom-ref": purl,
        "name": found.name,
        "version": found.version,
        "purl": purl,
        **({"licenses": licences} if licences else {}),
    }


def _within(file: str, component: dict[str, Any]) -> dict[str, Any]:
    """A library may be in both files: each is a component of its own."""
    return component | {"bom-ref": f"{file}#{component['bom-ref']}"}


def _dependencies(files: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"ref": file["bom-ref"], "dependsOn": [each["bom-ref"] for each in file["components"]]} for file in files]


def _purl(name: str, version: str) -> str:
    normalized = name.lower().replace("_", "-").replace(".", "-")
    return f"pkg:pypi/{normalized}@{quote(version)}"


def _licences(facts: metadata.PackageMetadata) -> list[dict[str, Any]]:
    """An SPDX expression where the distribution has one, else what it says in words."""
    if expression := _value(facts, "License-Expression"):
        return [{"expression": expression}]
    classified = [each.rpartition(" :: ")[2] for each in facts.get_all("Classifier") or () if each.startswith("License :: ")]
    said = _value(facts, "License").strip()
    names = classified or ([said] if said and "\n" not in said else [])
    return [{"license": {"name": each}} for each in names]


def _value(facts: metadata.PackageMetadata, name: str) -> str:
    return next(iter(facts.get_all(name) or ()), "")
