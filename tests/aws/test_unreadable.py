"""An error of a single object sets it aside; a failure of the storage ends the run."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from streaming_app.errors import StorageError
from streaming_app.ingest.read.lines import BadPart, LineReader
from streaming_app.storage.files import Storage
from tests.support.faults import ACCESS_DENIED, NO_SUCH_BUCKET, Answer, Fault, Faults, refusal, serving_faults
from tests.support.moto import REGION
from tests.support.objects import put_all

BUCKET = "clickstream-unreadable"


@pytest.fixture(scope="module")
def service(endpoint: str) -> Iterator[tuple[Faults, str]]:
    s3 = boto3.client("s3", region_name=REGION, endpoint_url=endpoint)
    s3.create_bucket(Bucket=BUCKET)
    for name in ("GLACIER", "DEEP_ARCHIVE", "STANDARD"):
        s3.put_object(Bucket=BUCKET, Key=f"raw/{name}", Body=b"a\n", StorageClass=name)
    put_all(BUCKET, {"raw//empty part": b"a\n", "raw/\x01": b"a\n", "raw/a:b{c}": b"a\n"})
    with serving_faults() as found:
        yield found


@pytest.fixture
def lines(service: tuple[Faults, str], faults: Faults):
    storage = Storage(service[1], REGION)
    return lambda name: list(LineReader(storage, f"s3://{BUCKET}/raw/{name}", 1_000))


@pytest.mark.parametrize("name", ["STANDARD", "/empty part", "\x01", "a:b{c}"], ids=ascii)
def test_names_that_others_cannot_hold_are_read(name: str, lines) -> None:
    assert lines(name) == [(1, b"a")]


def test_what_is_archived_or_gone(lines) -> None:
    for name, message in {
        "GLACIER": "InvalidObjectState",
        "DEEP_ARCHIVE": "InvalidObjectState",
        "gone": "not there|NoSuchKey",
    }.items():
        [(line, part)] = lines(name)
        assert isinstance(part, BadPart)
        assert (line, str(part.reason), part.forbidden) == (0, "unreadable_file", False)
        assert any(each in part.message for each in message.split("|"))


ABOUT_THE_OBJECT: dict[str, tuple[Answer, bool]] = {
    "AccessDenied": (ACCESS_DENIED, True),
    "InvalidObjectState": (refusal("403 Forbidden", "InvalidObjectState"), False),
    "KMS.DisabledException": (refusal("400 Bad Request", "KMS.DisabledException"), False),
    "KMS.NotFoundException": (refusal("400 Bad Request", "KMS.NotFoundException"), False),
    "InvalidRequest": (refusal("400 Bad Request", "InvalidRequest"), False),
    "MethodNotAllowed": (refusal("405 Method Not Allowed", "MethodNotAllowed"), False),
}
OF_THE_STORAGE: dict[str, Answer] = {
    "ExpiredToken": refusal("400 Bad Request", "ExpiredToken"),
    "InvalidAccessKeyId": refusal("403 Forbidden", "InvalidAccessKeyId"),
    "SignatureDoesNotMatch": refusal("403 Forbidden", "SignatureDoesNotMatch"),
    "AccountProblem": refusal("403 Forbidden", "AccountProblem"),
    "NoSuchBucket": NO_SUCH_BUCKET,
    "an answer without a code": refusal("403 Forbidden", ""),
}


@pytest.mark.parametrize("calls", ["^(HEAD|GET)", "^GET"], ids=["HEAD and GET", "GET"])
@pytest.mark.parametrize("case", ABOUT_THE_OBJECT, ids=str)
def test_refused(case: str, calls: str, lines, faults: Faults) -> None:
    answer, forbidden = ABOUT_THE_OBJECT[case]
    faults.faults = [Fault(answer, calls)]
    [(line, part)] = lines("STANDARD")
    assert isinstance(part, BadPart)
    assert (line, str(part.reason), part.forbidden) == (0, "unreadable_file", forbidden)
    assert case in part.message


@pytest.mark.parametrize("calls", ["^(HEAD|GET)", "^GET"], ids=["HEAD and GET", "GET"])
@pytest.mark.parametrize("case", OF_THE_STORAGE, ids=str)
def test_failing(case: str, calls: str, lines, faults: Faults) -> None:
    faults.faults = [Fault(OF_THE_STORAGE[case], calls)]
    with pytest.raises(StorageError, match="STANDARD: cannot be read"):
        lines("STANDARD")


def test_refused_by_head_alone(lines, faults: Faults) -> None:
    """A HEAD has no code: whoever may read the object is not told that it cannot be."""
    faults.faults = [Fault(refusal("403 Forbidden", ""), "^HEAD")]
    with pytest.raises(StorageError):
        lines("STANDARD")
