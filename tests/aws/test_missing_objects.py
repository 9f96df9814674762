"""Whether an object is missing, by the rights of the template's roles: S3 answers 403, not 404, to who may not list a bucket."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from streaming_app.config.model import Config
from streaming_app.errors import SourceError
from streaming_app.storage.conditional_object import S3ConditionalObject
from streaming_app.storage.s3_objects import S3Objects
from submitter.in_use import tables_in_use
from tests.support.authorized import Authorizer, serving_authorized
from tests.support.infra import stack
from tests.support.moto import REGION

LAKE = "clickstream-missing"
ALLOWED, FORBIDDEN = "lake/_checkpoints/derive/metadata", "lake/event/app_id=shop/a.parquet"


@pytest.fixture(scope="module")
def service(endpoint: str) -> Iterator[tuple[Authorizer, str]]:
    s3 = boto3.client("s3", region_name=REGION, endpoint_url=endpoint)
    s3.create_bucket(Bucket=LAKE)
    for key in (ALLOWED, f"{ALLOWED}-longer", FORBIDDEN):
        s3.put_object(Bucket=LAKE, Key=key, Body=b"x")
    with serving_authorized(stack(SinkBucket=LAKE), {"SUBMITTER": "SubmitterRole"}) as found:
        yield found


@pytest.fixture
def submitters(service: tuple[Authorizer, str], monkeypatch: pytest.MonkeyPatch) -> S3Objects:
    """S3 as the submitter's role sees it."""
    service[0].masked.clear()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "SUBMITTER")
    return S3Objects.connect(service[1], REGION)


def test_there_is_no_lock_before_the_first_run(submitters: S3Objects, service: tuple[Authorizer, str]) -> None:
    config = Config.model_validate(
        {
            "project_id": "demo",
            "source": {"uri": "s3://raw/raw"},
            "sink": {"uri": f"s3://{LAKE}/lake"},
            "apps": {"shop": {"transformer": "clickstream_sdk"}},
        }
    )
    assert tables_in_use(config, submitters) is None
    assert service[0].masked == [f"arn:aws:s3:::{LAKE}/lake/_lease.json"], "S3 said that it is forbidden"


@pytest.mark.parametrize(
    "key", ["lake/_lease.json", "lake/_checkpoints/derive/meta", "lake/_checkpoints/derive/metadata-longer/x"]
)
def test_a_missing_object_is_missing(key: str, submitters: S3Objects, service: tuple[Authorizer, str]) -> None:
    with pytest.raises(FileNotFoundError):
        list(submitters.lines(f"s3://{LAKE}/{key}"))
    assert S3ConditionalObject(submitters.client, LAKE, key).read() is None
    assert len(service[0].masked) == 2


def test_an_object_that_is_there_is_read_or_forbidden(submitters: S3Objects) -> None:
    assert list(submitters.lines(f"s3://{LAKE}/{ALLOWED}")) == ["x"]
    with pytest.raises(SourceError, match="AccessDenied"):
        list(submitters.lines(f"s3://{LAKE}/{FORBIDDEN}"))


def test_what_may_not_be_listed_is_not_taken_for_missing(submitters: S3Objects) -> None:
    with pytest.raises(SourceError, match="AccessDenied"):
        list(submitters.lines(f"s3://{LAKE}/elsewhere/a"))
