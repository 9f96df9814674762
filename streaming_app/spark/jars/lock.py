"""The list of locked jars, and the comparison of a folder with it. Read-only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from streaming_app.config.shipped_files import conf_file

Purpose = Literal["delta", "s3"]
"""Purpose of a jar: every session needs Delta's, only a session that uses S3 needs those of S3A."""

LOCK = "spark/jars.toml"


class Jar(msgspec.Struct, frozen=True):
    """One jar of the list."""

    purpose: Purpose
    coordinates: str
    """Maven coordinates: organisation, artifact and version, separated by colons."""
    size: int
    """In bytes."""
    sha256: str

    @property
    def file_name(self) -> str:
        """File name with the organisation, as Spark's resolver names it, so that artifacts of two organisations never collide.

        >>> Jar("delta", "io.delta:delta-storage:4.2.0", 76477, "").file_name
        'io.delta_delta-storage-4.2.0.jar'
        """
        organisation, artifact, version = self.coordinates.split(":")
        return f"{organisation}_{artifact}-{version}.jar"


class _Lock(msgspec.Struct):
    jar: tuple[Jar, ...]


def locked_jars(*purposes: Purpose) -> tuple[Jar, ...]:
    """The jars for these purposes; all jars if none is given."""
    lock = msgspec.toml.decode(conf_file(LOCK).read_bytes(), type=_Lock)
    return tuple(jar for jar in lock.jar if not purposes or jar.purpose in purposes)


def faults(jars: Iterable[Jar], folder: Path, *, checksums: bool = False) -> dict[Jar, str]:
    """Missing and damaged jars of a folder, with the problem of each; {} if it is complete.

    Compares name and size, which takes microseconds; with ``checksums`` also the content, which takes some seconds.
    """
    found = ((jar, fault_of(jar, folder / jar.file_name, checksums=checksums)) for jar in jars)
    return {jar: fault for jar, fault in found if fault}


def fault_of(jar: Jar, path: Path, *, checksums: bool) -> str:
    """The problem of a jar's file; "" if there is none."""
    if not path.is_file():
        return "is not there"
    size = path.stat().st_size
    if size != jar.size:
        return f"has {size:,} bytes, not {jar.size:,}"
    if checksums and sha256_of(path) != jar.sha256:
        return "has another content than the locked one"
    return ""


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
