"""S3 that fails as a test wants it: moto's objects at an endpoint of its own, where chosen calls are answered otherwise.

Every call is kept, with the access key that signed it.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from socket import SHUT_RDWR
from threading import Lock, Thread
from typing import Any
from urllib.parse import unquote

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

Answer = Callable[[Any, dict[str, Any], Any], Iterable[bytes]]
"""From the application behind, the WSGI environment and ``start_response`` to the body."""


def refusal(status: str, code: str) -> Answer:
    """An error as S3 tells it."""

    def answer(_app: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        drain(environ)
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{code}, says the test</Message></Error>'
        )
        start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body.encode()]

    return answer


SLOW_DOWN = refusal("503 Slow Down", "SlowDown")
INTERNAL_ERROR = refusal("500 Internal Server Error", "InternalError")
ACCESS_DENIED = refusal("403 Forbidden", "AccessDenied")
CONFLICT = refusal("409 Conflict", "ConditionalRequestConflict")
NO_SUCH_BUCKET = refusal("404 Not Found", "NoSuchBucket")


def drain(environ: dict[str, Any]) -> None:
    """Read the body: what is left of it would be taken for the next request."""
    if environ.get("wsgi.input_terminated"):
        environ["wsgi.input"].read()
    else:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))


def with_body(environ: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """The body, and the environment with a stream of it that may be read once more."""
    size = () if environ.get("wsgi.input_terminated") else (int(environ.get("CONTENT_LENGTH") or 0),)
    body = environ["wsgi.input"].read(*size)
    return body, {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}


def reset(_app: Any, environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
    """The connection ends without an answer."""
    drain(environ)
    environ["werkzeug.socket"].shutdown(SHUT_RDWR)  # the error alone would leave it open for the next request
    raise ConnectionResetError


STALL_SECONDS = 0.5


def stalled(app: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    """Nothing happens for a while; then the connection ends."""
    time.sleep(STALL_SECONDS)
    return reset(app, environ, start)


def cut(app: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    """The connection ends in the middle of the answer's body."""
    body = b"".join(app(environ, start))
    yield body[: len(body) // 2]
    raise ConnectionResetError


def done_but(answer: Answer) -> Answer:
    """The call is done, and answered as if it were not."""

    def answer_instead(app: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        b"".join(app(environ, lambda *_: None))
        return answer(app, {**environ, "CONTENT_LENGTH": "0"}, start)  # the body was read

    return answer_instead


def one_at_a_time(app: Any) -> Any:
    """moto looks at a write's condition and then writes, S3 does both at once."""
    lock = Lock()

    def locked(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if not {"HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"} & environ.keys():
            return app(environ, start)
        with lock:
            return app(environ, start)

    return locked


@dataclass
class Fault:
    """``calls`` is searched in ``GET /bucket/key?query``; of the calls it is found in, the first ``times`` and a ``share``."""

    answer: Answer
    calls: str = ""
    times: float = float("inf")
    share: float = 1.0
    chance: Random = field(default_factory=lambda: Random(1))

    def strikes(self, call: str) -> bool:
        if not re.search(self.calls, call) or self.times <= 0 or self.chance.random() >= self.share:
            return False
        self.times -= 1
        return True


@dataclass
class Faults:
    """The first of ``faults`` that strikes a call answers it, moto where none does."""

    faults: list[Fault] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Each call and the access key that signed it."""
    struck: int = 0
    lock: Lock = field(default_factory=Lock)

    def answer(self, environ: dict[str, Any]) -> Answer | None:
        call = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{unquote(environ['QUERY_STRING'])}"
        signed = re.search(r"Credential=([^/]+)", environ.get("HTTP_AUTHORIZATION", ""))
        with self.lock:
            self.calls.append((call, signed[1] if signed else ""))
            found = next((fault.answer for fault in self.faults if fault.strikes(call)), None)
            self.struck += found is not None
        return found


@contextmanager
def serving_faults() -> Iterator[tuple[Faults, str]]:
    """What fails, and the endpoint; moto's server must run in this process."""
    faults, moto = Faults(), one_at_a_time(DomainDispatcherApplication(create_backend_app))

    def app(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        answer = faults.answer(environ)
        return answer(moto, environ, start) if answer else moto(environ, start)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield faults, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
