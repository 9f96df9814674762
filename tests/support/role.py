"""A role's credentials as AWS hands them to a container: new ones at each request, which soon expire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

from tests.support.http import JsonHandler, serving


@contextmanager
def serving_metadata() -> Iterator[tuple[list[str], str]]:
    """The metadata service of a machine that has no role: what it was asked, and its address."""
    asked: list[str] = []

    class Handler(JsonHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server looks for
            asked.append(f"{self.command} {self.path}")
            self.answer({}, 404)

        do_PUT = do_GET  # noqa: N815 - the same

    with serving(Handler) as address:
        yield asked, address


@contextmanager
def serving_credentials(seconds: float) -> Iterator[str]:
    """The address; access keys are KEY0000, KEY0001 and so on, each for some seconds."""
    numbers = count()

    class Handler(JsonHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server looks for
            expires = datetime.now(UTC) + timedelta(seconds=seconds)
            key = {"AccessKeyId": f"KEY{next(numbers):04}", "SecretAccessKey": "secret", "Token": "token"}
            self.answer({**key, "Expiration": f"{expires:%Y-%m-%dT%H:%M:%SZ}"})

    with serving(Handler) as address:
        yield f"{address}/credentials"
