"""Parses and converts local paths and s3:// URIs, without accessing them."""

from __future__ import annotations

import os
from urllib.parse import unquote

from streaming_app.errors import ConfigError


def is_s3(uri: str) -> bool:
    return uri.startswith(("s3://", "s3a://"))


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The parts of an s3:// URI.

    >>> bucket_and_key("s3://bucket/raw/a.gz")
    ('bucket', 'raw/a.gz')
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def absolute(uri: str) -> str:
    """A URI that means the same from any working directory; ``file://`` is dropped."""
    if is_s3(uri):
        return "s3://" + uri.partition("://")[2].rstrip("/")
    try:
        return os.path.abspath(checked_uri(uri).removeprefix("file://"))
    except ValueError as error:
        raise ConfigError(f"{uri}: {error}") from None


def checked_uri(uri: str) -> str:
    """The URI itself.

    Raises:
        ValueError: neither a local path nor an s3:// URI.
    """
    if "://" in uri and not uri.startswith("file://") and not is_s3(uri):
        raise ValueError("only local paths and s3:// URIs are supported")
    return uri


def from_spark_url(url: str) -> str:
    """A path or s3:// URI from the encoded form in which Spark's logs and ``input_file_name()`` have it.

    >>> from_spark_url("file:///data/a%20b%3F.gz"), from_spark_url("s3a://bucket/a.gz")
    ('/data/a b?.gz', 's3://bucket/a.gz')
    """
    return from_hadoop_path(unquote(url))


def from_hadoop_path(path: str) -> str:
    """A path or s3:// URI from the form in Spark's path columns, which is not encoded.

    >>> from_hadoop_path("file:/data/50%20?.gz"), from_hadoop_path("s3a://bucket/a.gz")
    ('/data/50%20?.gz', 's3://bucket/a.gz')
    """
    scheme, colon, rest = path.partition(":")
    if colon and scheme == "file":
        return "/" + rest.lstrip("/")
    return f"s3:{rest}" if colon and scheme in ("s3", "s3a", "s3n") else path
