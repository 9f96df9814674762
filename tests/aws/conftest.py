"""S3 for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.moto import serving_s3


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Where S3 is; the environment leads every client there."""
    with serving_s3() as url:
        yield url
