"""S3 that lets each caller do what a role of the template may do, and answers as S3 does where it may not.

A caller is known by its access key. The objects are moto's, whose server must run in this process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.support.faults import ACCESS_DENIED, one_at_a_time, with_body
from tests.support.stack import Stack

Need = tuple[str, str, dict[str, str]]
"""Action, resource and the keys of its conditions."""

_OF_BUCKET = {"location": "GetBucketLocation", "versioning": "GetBucketVersioning", "lifecycle": "GetLifecycleConfiguration"}


@dataclass
class Authorizer:
    """``roles``: the role of the template by access key, without the number at its end."""

    stack: Stack
    roles: dict[str, str]
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    """Role, action and resource of each call that was not allowed."""
    masked: list[str] = field(default_factory=list)
    """Objects that are missing, and whose caller was answered 403 because it may not list the bucket."""
    regions: set[tuple[str, str]] = field(default_factory=set)
    """Role and region of each signature."""
    lock: Lock = field(default_factory=Lock)

    def allows(self, role: str, need: Need) -> bool:
        action, resource, context = need
        allowed = self.stack.allows(role, action, resource, **context)
        if not allowed:
            with self.lock:
                self.refused.append((role, action, resource))
        return allowed

    def role_of(self, environ: dict[str, Any]) -> str:
        signed = re.search(r"Credential=([^/]+)/\d+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        assert signed, f"an unsigned call: {environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        role = self.roles[signed[1].rstrip("0123456789")]
        with self.lock:
            self.regions.add((role, signed[2]))
        return role


def needs_of(environ: dict[str, Any], body: bytes) -> list[Need]:
    """What a call needs. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3"."""
    method, query = environ["REQUEST_METHOD"], parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    bucket, _, key = environ["PATH_INFO"].removeprefix("/").partition("/")
    of_bucket, of_object = f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{key}"
    if not key:
        if method == "POST" and "delete" in query:
            keys = [each.text for each in ElementTree.fromstring(body).iter() if each.tag.endswith("Key")]  # noqa: S314 - ours
            return [("s3:DeleteObject", f"{of_bucket}/{each}", {}) for each in keys]
        assert method in ("GET", "HEAD"), f"{method} of a bucket"
        named = next((action for name, action in _OF_BUCKET.items() if name in query), None)
        prefix = {"prefix": query["prefix"][0]} if "prefix" in query else {}
        return [(f"s3:{named}", of_bucket, {})] if named else [("s3:ListBucket", of_bucket, prefix)]
    if method in ("GET", "HEAD"):
        return [("s3:ListMultipartUploadParts" if "uploadId" in query else "s3:GetObject", of_object, {})]
    if method == "DELETE":
        return [("s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject", of_object, {})]
    source = environ.get("HTTP_X_AMZ_COPY_SOURCE", "").removeprefix("/")
    return [("s3:PutObject", of_object, {}), *([("s3:GetObject", f"arn:aws:s3:::{source}", {})] if source else [])]


@contextmanager
def serving_authorized(stack: Stack, roles: dict[str, str]) -> Iterator[tuple[Authorizer, str]]:
    """What is authorized, and the endpoint."""
    authorizer, moto = Authorizer(stack, roles), one_at_a_time(DomainDispatcherApplication(create_backend_app))

    def app(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        body, environ = with_body(environ)
        role = authorizer.role_of(environ)
        needs = needs_of(environ, body)
        if not all(authorizer.allows(role, need) for need in needs):
            return _deny(environ, start)
        return _answer(authorizer, role, needs[0], moto, environ, start)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield authorizer, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _answer(authorizer: Authorizer, role: str, need: Need, moto: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    """moto's answer; 403 for a missing object to who may not list its bucket whatever the prefix.

    Source: S3's GetObject, "Permissions".
    """
    action, resource, _ = need
    begun: list[Any] = []
    answered = moto(environ, lambda *given: begun.append(given))
    missing = action == "s3:GetObject" and begun[0][0].startswith("404")
    if missing and not authorizer.stack.allows(role, "s3:ListBucket", resource.partition("/")[0]):
        with authorizer.lock:
            authorizer.masked.append(resource)
        return _deny(environ, start)
    start(*begun[0])
    return answered


def _deny(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    if environ["REQUEST_METHOD"] == "HEAD":  # has no body, so that clients see the status alone
        start("403 Forbidden", [("Content-Length", "0")])
        return []
    return ACCESS_DENIED(None, environ, start)
