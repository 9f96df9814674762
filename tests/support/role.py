"""A role's credentials as AWS hands them to a container: new ones at each request, which soon expire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread


@contextmanager
def serving_credentials(seconds: float) -> Iterator[str]:
    """The address; access keys are KEY0000, KEY0001 and so on, each for some seconds."""
    numbers = count()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            expires = datetime.now(UTC) + timedelta(seconds=seconds)
            key = f"KEY{next(numbers):04}"
            given = {
                "AccessKeyId": key,
                "SecretAccessKey": "secret",
                "Token": "token",
                "Expiration": f"{expires:%Y-%m-%dT%H:%M:%SZ}",
            }
            text = json.dumps(given).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/credentials"
    finally:
        server.shutdown()
        server.server_close()
