"""The hashes of uv.lock: only wheels that match a locked hash get into the package."""

from __future__ import annotations

import re
from collections.abc import Mapping

Hashes = Mapping[str, tuple[str, ...]]
"""Hashes (``sha256:…``) of the wheels of a version, by ``name==version``."""

_PINNED = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")


def hashes_in(requirements: str) -> dict[str, tuple[str, ...]]:
    """The hashes in requirements as ``uv export`` writes them.

    >>> hashes_in("a==1 ; python_version > '3' \\\\\\n    --hash=sha256:0a \\\\\\n    --hash=sha256:0b\\nb==2\\n")
    {'a==1': ('sha256:0a', 'sha256:0b')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for requirement in requirements.replace("\\\n", " ").splitlines():
        pinned, hashes = _PINNED.match(requirement), re.findall(r"--hash=(\S+)", requirement)
        if pinned and hashes:
            found["==".join(pinned.groups())] = tuple(hashes)
    return found


def without_hashes(requirements: str) -> str:
    """The same requirements as constraints, whose hashes uv would not compare with anything."""
    return re.sub(r"[ \\\n]*--hash=\S+", "", requirements)


def with_hashes(resolved: str, hashes: Hashes) -> tuple[str, list[str]]:
    """Resolved requirements, a line each, with their hashes; and those that have none.

    >>> with_hashes("a==1\\nb==2\\n", {"a==1": ("sha256:0a",)})
    ('a==1 --hash=sha256:0a\\nb==2\\n', ['b==2'])
    """
    lines, unknown = [], []
    for line in filter(None, resolved.splitlines()):
        pinned = _PINNED.match(line)
        known = hashes.get("==".join(pinned.groups()), ()) if pinned else ()
        lines.append(" ".join([line, *(f"--hash={each}" for each in known)]))
        if not known:
            unknown.append(line)
    return "".join(f"{line}\n" for line in lines), unknown
