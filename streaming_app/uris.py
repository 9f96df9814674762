"""Local paths and s3:// URIs, as text: what they mean, without touching what they name."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

from streaming_app.errors import ConfigError


def is_s3(uri: str) -> bool:
    return uri.startswith(("s3://", "s3a://"))


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


def local_uri(uri: str) -> str:
    """A path or s3:// URI from what Spark calls a file.

    >>> local_uri("file:/data/a%20b.gz"), local_uri("s3a://bucket/a.gz")
    ('/data/a b.gz', 's3://bucket/a.gz')
    """
    parts = urlsplit(uri)
    path = unquote(parts.path)
    return path if parts.scheme in ("", "file") else f"s3://{parts.netloc}{path}"
