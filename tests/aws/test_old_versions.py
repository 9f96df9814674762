"""The day from which on nothing of a person remains counts what buckets keep of deleted objects, or says that it cannot."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import boto3
import pytest

from streaming_app.commands.erase.erase import find_final_date
from streaming_app.commands.erase.old_versions import old_versions, removal_days
from streaming_app.environment import open_lake
from streaming_app.plugins.load_config import parse_config
from streaming_app.storage.files import Storage
from tests.support.http import JsonHandler, serving
from tests.support.moto import REGION


def rule(days: int | None = None, prefix: str = "", **more: Any) -> dict[str, Any]:
    expiration = {"Expiration": {"Days": 9}} if days is None else {"NoncurrentVersionExpiration": {"NoncurrentDays": days}}
    return {"Status": "Enabled", "Filter": {"Prefix": prefix}, **expiration, **more}


TAGGED = {"Filter": {"And": {"Prefix": "", "Tags": [{"Key": "a", "Value": "b"}]}}}
BUCKETS: dict[str, tuple[str | None, list[dict[str, Any]], int | None]] = {
    "never-versioned": (None, [], 0),
    "never-versioned-rules": (None, [rule(5)], 0),
    "no-lifecycle": ("Enabled", [], None),
    "all-of-it": ("Enabled", [rule(5)], 5),
    "suspended": ("Suspended", [rule(5)], 5),
    "the-first-rule": ("Enabled", [rule(30), rule(7), rule(20)], 7),
    "above": ("Enabled", [rule(5, "la")], 5),
    "below": ("Enabled", [rule(5, "lake/event/")], None),
    "elsewhere": ("Enabled", [rule(5, "raw/")], None),
    "off": ("Enabled", [rule(5, Status="Disabled")], None),
    "by-tags": ("Enabled", [rule(5, **TAGGED)], None),
    "of-other-kinds": ("Enabled", [rule()], None),
}


@pytest.fixture
def make_bucket(endpoint: str) -> Any:
    s3 = boto3.client("s3", region_name=REGION, endpoint_url=endpoint)

    def make(name: str, status: str | None, rules: list[dict[str, Any]]) -> str:
        bucket = f"old-versions-{name}"
        s3.create_bucket(Bucket=bucket)
        if status:
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        if rules:
            s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
        return bucket

    return make


@pytest.mark.parametrize("name", BUCKETS)
def test_how_long(name: str, make_bucket: Any, endpoint: str) -> None:
    status, rules, days = BUCKETS[name]
    bucket = make_bucket(name, status, rules)
    storage = Storage(endpoint, REGION)
    [found] = old_versions([f"s3://{bucket}/lake", "/local/lake"], storage)
    assert (found.days, found.bucket, found.unknown) == (days, bucket, "")
    if name == "below":
        assert [each.days for each in old_versions([f"s3://{bucket}/lake/event"], storage)] == [5]
        assert [each.days for each in old_versions([f"s3://{bucket}/lake/event", f"s3://{bucket}/lake/user"], storage)] == [None]


@pytest.mark.parametrize(
    "partial",
    [
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2}},
        {"Filter": {"And": {"Prefix": "lake/", "ObjectSizeGreaterThan": 100}}},
        {"Filter": {"ObjectSizeLessThan": 100}},
        {"Filter": {"Tag": {"Key": "a", "Value": "b"}}},
    ],
)
def test_a_rule_for_some_versions_removes_not_all(partial: dict[str, Any]) -> None:
    """moto does not keep these settings."""
    assert removal_days([rule(3, **partial)], "lake/") is None
    assert removal_days([rule(3, **partial), rule(20)], "lake/") == 20


@pytest.mark.parametrize(
    "everything", [{"Filter": {}}, {"Filter": {"And": {"Prefix": "la"}}}, {"Prefix": ""}, {"Prefix": "lake"}]
)
def test_a_rule_for_all_of_them(everything: dict[str, Any]) -> None:
    """Also as it was written before there were filters."""
    expiration = {"Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 3}}
    assert removal_days([expiration | everything], "lake/") == 3
    assert removal_days([expiration | everything | {"Status": "Disabled"}], "lake/") is None


def test_what_may_not_be_read_is_said() -> None:
    class Refusing(JsonHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server looks for
            self.answer({}, 403)

    with serving(Refusing) as address:
        [found] = old_versions(["s3://secret/lake"], Storage(address, REGION))
    assert found.days is None
    assert "whether the bucket secret keeps old versions" in found.description
    assert "s3:GetBucketVersioning" in found.description


TODAY = date(2026, 11, 27)
VACUUM = TODAY + timedelta(days=8)


@pytest.mark.parametrize(
    ("lake", "raw_bucket", "raw", "last", "unknown"),
    [
        ((None, []), (None, []), True, VACUUM, 0),
        (("Enabled", [rule(30)]), (None, []), True, VACUUM + timedelta(days=31), 0),
        (("Enabled", [rule(30)]), ("Enabled", [rule(60)]), True, TODAY + timedelta(days=61), 0),
        (("Enabled", [rule(30)]), ("Enabled", []), False, VACUUM + timedelta(days=31), 0),
        (("Enabled", [rule(30)]), ("Enabled", []), True, None, 1),
        (("Enabled", []), (None, []), False, None, 1),
    ],
    ids=["none", "of the lake", "of raw files", "raw files untouched", "raw files for ever", "the lake for ever"],
)
def test_the_day(
    lake: Any, raw_bucket: Any, raw: bool, last: date | None, unknown: int, make_bucket: Any, endpoint: str, request: Any
) -> None:
    name = request.node.callspec.id.replace(" ", "-")
    buckets = make_bucket(f"{name}-lake", *lake), make_bucket(f"{name}-raw", *raw_bucket)
    config = parse_config(
        f"project_id: t\nsink: {{uri: s3://{buckets[0]}/lake}}\nsource: {{uri: s3://{buckets[1]}/raw}}\n"
        f"apps: {{shop: {{transformer: clickstream_sdk}}}}\ns3: {{endpoint: '{endpoint}', region: {REGION}}}\n"
    )
    after, found, problems = find_final_date(config, open_lake(config), TODAY, VACUUM, raw=raw)
    assert (found, len(problems)) == (last, unknown)
    assert f"clickstream vacuum on {VACUUM} or later" in after
    assert last == VACUUM or (str(last) if last else "see what is not known") in after
