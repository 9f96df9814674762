"""S3 for all tests of this folder, and what operators do as it goes on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from tests.support.cli_process import Cli, cli_process
from tests.support.faults import Faults
from tests.support.moto import REGION, serving_s3
from tests.support.s3_story import STEPS, Place, tale


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Where S3 is; the environment leads every client there."""
    with serving_s3() as url:
        yield url


@pytest.fixture
def faults(service: tuple[Faults, str], monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Faults of the module's own ``service``; botocore repeats what it would repeat, without its pauses."""
    found, url = service
    found.faults, found.calls, found.struck = [], [], 0
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_, **__: True)
    return found


@dataclass(frozen=True)
class Story:
    """What operators do, by a process for commands."""

    cli: Cli

    def here(self, steps: tuple[str, ...], folder: Path) -> dict[str, dict[str, Any]]:
        """What the steps end in without S3 and without faults, by their names."""
        local = folder / "here"
        (local / "raw").mkdir(parents=True)
        return tale(Place(str(local), local, lambda _: None), self.cli, steps)

    @staticmethod
    def on_s3(bucket: str, folder: Path, endpoint: str, straight: str) -> Place:
        """A place in a new bucket; commands are led to ``endpoint``."""
        s3 = boto3.client("s3", region_name=REGION, endpoint_url=straight)
        s3.create_bucket(Bucket=bucket)
        raw = folder / "raw"
        raw.mkdir()
        s3.put_object(Bucket=bucket, Key="raw/", Body=b"")
        return Place(
            f"s3://{bucket}",
            folder,
            lambda path: s3.upload_file(str(path), bucket, f"raw/{path.relative_to(raw)}"),
            endpoint,
            REGION,
            straight,
        )


@pytest.fixture(scope="session")
def cli(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """The process for the commands of all tests of this folder."""
    with cli_process(tmp_path_factory.mktemp("cli") / "jvm.log") as cli:
        # The jars for S3 are found when the JVM starts: the first command must need them.
        first = Story.on_s3("clickstream-jars", tmp_path_factory.mktemp("jars"), endpoint, endpoint)
        assert first.take(STEPS["run"], cli).code == 0
        yield cli


@pytest.fixture(scope="session")
def story(cli: Cli) -> Story:
    return Story(cli)
