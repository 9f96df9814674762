"""Local folders and S3 behind one interface."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from streaming_app.storage.local_objects import LocalObjects
from streaming_app.storage.objects import ObjectInfo, Objects
from streaming_app.storage.uris import is_s3


@dataclass(frozen=True)
class AnyObjects:
    """Local folders or S3, by the URI; ``endpoint`` and ``region`` are for S3, from the environment if None."""

    endpoint: str | None = None
    region: str | None = None

    def list_directory(self, folder: str) -> Iterator[ObjectInfo]:
        return self._at(folder).list_directory(folder)

    def files(self, folder: str) -> Iterator[ObjectInfo]:
        return self._at(folder).files(folder)

    def lines(self, uri: str) -> Iterator[str]:
        return self._at(uri).lines(uri)

    def _at(self, uri: str) -> Objects:
        return self._s3 if is_s3(uri) else LocalObjects()

    @cached_property
    def _s3(self) -> Objects:
        from streaming_app.storage.s3_objects import S3Objects  # noqa: PLC0415 - boto3 takes a third of a second

        return S3Objects.connect(self.endpoint, self.region)
