"""Objects on S3, listed a page of a thousand at a time by boto3, which refreshes the role's credentials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from streaming_app.errors import SourceError
from streaming_app.storage.aws_environment import client_key
from streaming_app.storage.objects import ObjectInfo
from streaming_app.storage.uris import bucket_and_key

PATIENT = Config(retries={"mode": "adaptive", "max_attempts": 10})
"""botocore retries throttled calls (503 SlowDown) with backoff."""

MAX_READS = 5
"""Maximum attempts to read an object to its end."""

_CHUNK = 1 << 16


def s3_client(endpoint: str | None = None, region: str | None = None) -> Any:
    """boto3's S3 client for an endpoint and a region, one for all threads of this process: each new one would ask for credentials
    and open connections of its own."""
    with _making:
        return _make_client(endpoint, region, client_key())


_making = Lock()
"""So that threads that come at once do not each make one."""


@lru_cache(maxsize=16)
def _make_client(endpoint: str | None, region: str | None, _key: tuple[object, ...]) -> Any:
    # boto3's default session would keep the credentials that it found first, whatever the environment says now.
    return boto3.Session().client("s3", endpoint_url=endpoint, region_name=region, config=PATIENT)


@dataclass(frozen=True)
class S3Objects:
    """See :class:`streaming_app.storage.objects.Objects`; ``client`` is boto3's S3 client."""

    client: Any

    @classmethod
    def connect(cls, endpoint: str | None = None, region: str | None = None) -> S3Objects:
        return cls(s3_client(endpoint, region))

    def list_directory(self, folder: str) -> Iterator[ObjectInfo]:
        bucket, prefix = _bucket_and_prefix(folder)
        for page in self._pages(folder, Bucket=bucket, Prefix=prefix, Delimiter="/"):
            for each in page.get("CommonPrefixes", ()):
                yield ObjectInfo(f"s3://{bucket}/{each['Prefix'].removesuffix('/')}", is_folder=True)
            yield from _files(bucket, page)

    def files(self, folder: str) -> Iterator[ObjectInfo]:
        bucket, prefix = _bucket_and_prefix(folder)
        for page in self._pages(folder, Bucket=bucket, Prefix=prefix):
            yield from _files(bucket, page)

    def lines(self, uri: str) -> Iterator[str]:
        rest = b""
        for chunk in self._chunks(uri):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode() for line in lines)
        if rest:
            yield rest.decode()

    def open(self, uri: str) -> Any:
        """The object's content as a stream.

        Raises:
            OSError: it cannot be opened.
        """
        bucket, key = bucket_and_key(uri)
        try:
            return self.client.get_object(Bucket=bucket, Key=key)["Body"]
        except (ClientError, BotoCoreError) as error:
            raise OSError(f"{uri}: {error}") from error

    def refusal(self, uri: str) -> tuple[str, str] | None:
        """Code and message with which S3 refuses the object; None if it does not, or does not respond."""
        bucket, key = bucket_and_key(uri)
        try:
            self.client.get_object(Bucket=bucket, Key=key)["Body"].close()
        except ClientError as error:
            reason = error.response.get("Error", {})
            return str(reason.get("Code", "")), str(reason.get("Message", ""))
        except BotoCoreError:
            return None
        return None

    def _chunks(self, uri: str) -> Iterator[bytes]:
        """Read an object's content. botocore retries calls but not the reading of a body, which is resumed here where it broke
        off."""
        begin = 0
        same_object: dict[str, str] = {}
        for attempt in range(1, MAX_READS + 1):
            answer = self._get(uri, Range=f"bytes={begin}-", **same_object) if begin else self._get(uri)
            same_object = {"IfMatch": answer["ETag"]}
            try:
                for chunk in answer["Body"].iter_chunks(_CHUNK):
                    begin += len(chunk)
                    yield chunk
            except BotoCoreError as error:
                if attempt == MAX_READS:
                    raise SourceError(f"{uri}: broke off {attempt} times: {error}", "the next run tries it again") from None
            else:
                return

    def _get(self, uri: str, **what: str) -> Any:
        bucket, key = bucket_and_key(uri)
        try:
            return self.client.get_object(Bucket=bucket, Key=key, **what)
        except (ClientError, BotoCoreError) as error:
            if is_missing(self.client, bucket, key, error):
                raise FileNotFoundError(f"{uri}: there is no such object") from None
            raise SourceError(f"{uri}: cannot be read: {error}", "check the bucket's name and s3:GetObject on it") from None

    def _pages(self, folder: str, **what: str) -> Iterator[dict[str, Any]]:
        try:
            yield from self.client.get_paginator("list_objects_v2").paginate(**what)
        except (ClientError, BotoCoreError) as error:
            raise SourceError(f"{folder}: cannot be listed: {error}", "check the bucket's name and s3:ListBucket on it") from None


def is_missing(client: Any, bucket: str, key: str, error: Exception) -> bool:
    """Whether reading an object failed because there is none.

    To a role that may list some prefixes of a bucket only, S3 answers 403 for a missing object, as for a forbidden one; then its
    listing tells them apart.
    """
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code in ("NoSuchKey", "404"):
        return True
    if code not in ("AccessDenied", "403"):
        return False
    try:
        page = client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)  # the key itself comes first among those it begins
    except (ClientError, BotoCoreError):
        return False
    return key not in {each["Key"] for each in page.get("Contents", ())}


def _bucket_and_prefix(folder: str) -> tuple[str, str]:
    bucket, path = bucket_and_key(folder)  # a key that ends in a slash has no name
    return bucket, f"{path}/" if path else ""


def _files(bucket: str, page: dict[str, Any]) -> Iterator[ObjectInfo]:
    """The objects of a page, without keys that end in a slash, which are folders created in the console."""
    for each in page.get("Contents", ()):
        if not each["Key"].endswith("/"):
            yield ObjectInfo(f"s3://{bucket}/{each['Key']}", each["Size"], each["LastModified"].timestamp())
