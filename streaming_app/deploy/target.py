"""The machine that a package is made for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from streaming_app.errors import ConfigError

Architecture = Literal["arm64", "x86_64"]

# EMR Serverless and Lambda are Amazon Linux 2023, whose glibc is 2.34: any wheel that asks for that or less runs there.
_PLATFORMS = {"arm64": "aarch64-manylinux_2_34", "x86_64": "x86_64-manylinux_2_34"}


@dataclass(frozen=True)
class Target:
    """An architecture, named as AWS names it, and a version of Python, such as 3.11."""

    architecture: Architecture
    python: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"3\.\d+", self.python):
            raise ConfigError(f"Python {self.python!r} is no version", "give its first two numbers, for example 3.11")

    @property
    def platform(self) -> str:
        """uv's name of the platform."""
        return _PLATFORMS[self.architecture]

    def __str__(self) -> str:
        return f"{self.architecture}, Python {self.python}"
