"""The result of one check, and what the checks are given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from streaming_app.config.model import Config
from streaming_app.environment import open_lake
from streaming_app.lake.lake import Lake
from streaming_app.storage.any_objects import AnyObjects
from streaming_app.storage.files import Storage
from streaming_app.storage.uris import is_s3

Status = Literal["ok", "warning", "problem"]
"""A run works; it works, but an operator should look into it; it does not work."""


@dataclass(frozen=True)
class Finding:
    """One result: what was checked, its status, and the remedy where there is a problem."""

    check: str
    status: Status
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Pipeline:
    """A usable configuration, and access to its tables and files."""

    config: Config

    @cached_property
    def lake(self) -> Lake:
        return open_lake(self.config)

    @property
    def storage(self) -> Storage:
        return self.lake.storage

    @cached_property
    def objects(self) -> AnyObjects:
        return AnyObjects(self.config.s3.endpoint, self.config.s3.region)

    @property
    def uses_s3(self) -> bool:
        return any(map(is_s3, (self.config.source.uri, self.config.sink.uri, self.config.checkpoint.uri or "")))
