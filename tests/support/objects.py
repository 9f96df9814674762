"""Objects on S3 by the thousand, put behind moto's HTTP; a folder of very many that only its listing knows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, quote

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from tests.support.faults import Answer

PAGE = 1_000


def put_all(bucket: str, objects: Mapping[str, bytes]) -> None:
    for key, content in objects.items():
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(bucket, key, content)


def listing(sizes: Mapping[str, int]) -> Answer:
    """ListObjectsV2 of a folder with these objects: moto sorts all of them for each page, half a second for 100,000."""
    keys = sorted(sizes)

    def answer(_app: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        query = parse_qs(environ["QUERY_STRING"])
        begin = int(query["continuation-token"][0]) if "continuation-token" in query else bisect_left(keys, query["prefix"][0])
        end = begin + PAGE
        token = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < len(keys) else ""
        objects = "".join(
            f"<Contents><Key>{quote(key)}</Key><LastModified>2026-05-28T20:00:00.000Z</LastModified><Size>{sizes[key]}</Size></Contents>"
            for key in keys[begin:end]
        )
        truncated = f"<IsTruncated>{str(bool(token)).lower()}</IsTruncated><EncodingType>url</EncodingType>"
        body = f"<ListBucketResult>{truncated}{token}{objects}</ListBucketResult>".encode()
        start("200 OK", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    return answer
