"""A small text that several processes change by compare-and-swap: a file, or an object on S3."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError

from streaming_app.storage.files import Storage
from streaming_app.storage.s3_objects import is_missing, s3_client
from streaming_app.storage.uris import absolute, bucket_and_key, is_s3

ObjectVersion = str
"""Identifies a text; equal texts have equal versions."""


class ConditionalObject(Protocol):
    """A text that is replaced only if no other process has replaced it in the meantime."""

    def read(self) -> tuple[str, ObjectVersion] | None:
        """The text and its version; None if there is none yet."""

    def compare_and_swap(self, text: str, expected: ObjectVersion | None) -> ObjectVersion | None:
        """Write the text if the version is still the expected one (None: if there is none yet).

        Returns the new version, or None where another process was faster.
        """


def conditional_object_at(uri: str, storage: Storage) -> ConditionalObject:
    """The conditional object at a path or an s3:// URI."""
    if not is_s3(uri):
        return LocalConditionalObject(Path(absolute(uri)))
    bucket, key = bucket_and_key(uri)
    return S3ConditionalObject(s3_client(storage.endpoint, storage.region), bucket, key)


@dataclass(frozen=True)
class LocalConditionalObject:
    """A conditional object in a local file, guarded by a file lock."""

    path: Path

    def read(self) -> tuple[str, ObjectVersion] | None:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return text, _version(text)

    def compare_and_swap(self, text: str, expected: ObjectVersion | None) -> ObjectVersion | None:
        with self._file_lock():
            found = self.read()
            if (found[1] if found else None) != expected:
                return None
            written = self.path.with_suffix(".tmp")
            written.write_text(text, encoding="utf-8")
            written.replace(self.path)
            return _version(text)

    @contextmanager
    def _file_lock(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _version(text: str) -> ObjectVersion:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class S3ConditionalObject:
    """A conditional object on S3, which itself refuses a write if the version is not the expected one."""

    client: Any
    bucket: str
    key: str

    def read(self) -> tuple[str, ObjectVersion] | None:
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.key)
        except ClientError as error:
            if is_missing(self.client, self.bucket, self.key, error):
                return None
            raise
        return answer["Body"].read().decode(), answer["ETag"]

    def compare_and_swap(self, text: str, expected: ObjectVersion | None) -> ObjectVersion | None:
        condition = {"IfNoneMatch": "*"} if expected is None else {"IfMatch": expected}
        try:
            answer = self.client.put_object(Bucket=self.bucket, Key=self.key, Body=text.encode(), **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _LOST:
                raise
            # botocore may have retried a write that had succeeded: then the new version is ours.
            found = self.read()
            return found[1] if found and found[0] == text else None
        return str(answer["ETag"])


_LOST = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409", "NoSuchKey"}
