"""A zoo of objects on S3: runs end well, good ones are counted, odd ones are set aside by name, and a replay brings them back."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from streaming_app.lake.lake import Lake
from streaming_app.lake.query import query
from streaming_app.plugins.load_config import load_config
from streaming_app.storage.files import Storage
from streaming_app.storage.s3_objects import S3Objects
from submitter.survey import survey
from tests.spark.conftest import FAST
from tests.support.cli_process import Cli, Done
from tests.support.faults import ACCESS_DENIED, Fault, Faults, serving_faults
from tests.support.moto import REGION
from tests.support.objects import put_all
from tests.support.raw import event, line

MONTH = "year=2026/month=05"
GOOD = (
    f"{MONTH}/good.gz",
    f"{MONTH}/day=28/2026-05-28T20:00:00.gz",
    f"{MONTH}/day=28/12:30/a.gz",
    f"{MONTH}/day=28/a{{1}}[2]*?,(3).gz",
    f"{MONTH}/d{{1}}/a.gz",
    f"{MONTH}/d\\2/a\\b.gz",
    f"{MONTH}/d,*?/ a%20b#+é.gz",
    f"{MONTH}/{'x' * 900}",
    f"{MONTH}/in the way/a.gz",
    f"{MONTH}/in the way/below/a.gz",
    "web{1}/a,b.gz",
    "stray{2},.gz",
)
UNNAMEABLE = (
    "da:y{1}/a.gz",
    "a:b.gz",
    f"{MONTH}//empty.gz",
    f"{MONTH}/up/../a.gz",
    f"{MONTH}/./dot.gz",
    f"{MONTH}/in the way/\x01.gz",
    "/stray.gz",
    "../stray.gz",
)
DOTS = {"../stray.gz", f"{MONTH}/up/../a.gz", f"{MONTH}/./dot.gz"}
"""Clients of HTTP may take these parts out of an address before it is sent."""
BOTH = {f"{MONTH}/both.gz", f"{MONTH}/both.gz/below.gz"}
"""A key that is also a folder: Hadoop sees one of them."""
DENIED = (f"{MONTH}/denied.gz", f"{MONTH}/day=28/denied.gz", "denied-stray.gz")
"""By its own path, in a micro-batch that Spark has planned, and as a place of its own."""
ARCHIVED = f"{MONTH}/glacier.gz"
LATER = (f"{MONTH}/later.gz", f"{MONTH}/in the way/later.gz")
LAST = f"{MONTH}/last.gz"
UNREADABLE = (*UNNAMEABLE, *DENIED, ARCHIVED)


@dataclass
class Zoo:
    """A pipeline in a bucket of its own, whose S3 fails as the test wants."""

    bucket: str
    folder: Path
    cli: Cli
    faults: Faults
    straight: str
    proxy: str

    def put(self, *names: str) -> None:
        put_all(self.bucket, {f"raw/{name}": gzip.compress(line(event(name[:200]), rid=name)) for name in names})

    @property
    def config(self) -> str:
        path = self.folder / "pipeline.yaml"
        path.write_text(
            f"project_id: zoo\nsource: {{uri: s3://{self.bucket}/raw}}\nsink: {{uri: s3://{self.bucket}/lake}}\n"
            f's3: {{endpoint: "{self.proxy}", region: {REGION}}}\napps: {{shop: {{transformer: clickstream_sdk}}}}\n{FAST}'
        )
        return str(path)

    def run(self, *command: str) -> Done:
        return self.cli(*command, "--config", self.config)

    def done(self, *command: str) -> dict[str, Any]:
        done = self.run(*command, "--json")
        assert done.code == 0, done.err
        found: dict[str, Any] = json.loads(done.out)
        return found

    def query(self, sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = query(Lake(f"s3://{self.bucket}/lake", Storage(self.straight, REGION)), sql).to_pylist()
        return rows

    def read(self) -> set[str]:
        return {row["event_id"] for row in self.query("SELECT event_id FROM event")}

    def set_aside(self) -> dict[str, str]:
        rows = self.query(
            "SELECT source_file, message FROM quarantine WHERE reason = 'unreadable_file' AND resolved_time IS NULL"
        )
        return {row["source_file"].removeprefix(f"s3://{self.bucket}/raw/"): row["message"] for row in rows}

    def is_work(self) -> bool:
        """What the submitter's Lambda would say."""
        return bool(survey(load_config(self.config), S3Objects.connect(self.straight, REGION), float("inf")))


@pytest.fixture(scope="module")
def service(endpoint: str) -> Iterator[tuple[Faults, str]]:
    with serving_faults() as found:
        yield found


@pytest.fixture
def zoo(tmp_path: Path, cli: Cli, service: tuple[Faults, str], endpoint: str) -> Zoo:
    bucket = f"zoo-{uuid.uuid4().hex}"
    boto3.client("s3", region_name=REGION, endpoint_url=endpoint).create_bucket(Bucket=bucket)
    service[0].faults = []
    return Zoo(bucket, tmp_path, cli, service[0], endpoint, service[1])


def test_odd_objects_are_quarantined_by_name(zoo: Zoo) -> None:
    zoo.put(*GOOD, *UNNAMEABLE, *BOTH, *DENIED)
    s3 = boto3.client("s3", region_name=REGION, endpoint_url=zoo.straight)
    archived = gzip.compress(line(event(ARCHIVED), rid=ARCHIVED))
    s3.put_object(Bucket=zoo.bucket, Key=f"raw/{ARCHIVED}", Body=archived, StorageClass="GLACIER")
    s3.put_object(Bucket=zoo.bucket, Key=f"raw/{MONTH}/folder/", Body=b"")
    s3.put_object(Bucket=zoo.bucket, Key=f"raw/{MONTH}/nothing.gz", Body=b"")
    zoo.faults.faults = [Fault(ACCESS_DENIED, r"^(GET|HEAD) /[^?]*/denied")]

    assert zoo.is_work()
    summary = zoo.done("run")
    aside = zoo.set_aside()
    assert zoo.read() - BOTH == {name[:200] for name in GOOD}
    assert aside.keys() - BOTH == set(UNREADABLE)
    assert zoo.read() | aside.keys() >= BOTH
    assert summary["set_aside"] == len(aside)
    assert summary["counts"]["files"] == len(GOOD) + len(UNREADABLE) + len(BOTH)
    assert all("AccessDenied" in aside[name] for name in DENIED)
    assert "InvalidObjectState" in aside[ARCHIVED]

    assert not zoo.is_work()
    assert zoo.done("run")["batches"] == 0
    zoo.put(*LATER)
    later = zoo.done("run")
    assert (later["counts"]["files"], later["set_aside"]) == (2, 0)

    zoo.faults.faults.append(Fault(ACCESS_DENIED, r"^(GET|HEAD) /[^?]*/later"))  # what the last micro-batch has read
    zoo.put(LAST)
    assert zoo.done("run")["counts"]["files"] == 1

    checked = zoo.run("tables", "check")
    assert checked.code == 0, checked.out
    assert f"raw files that are set aside: {len(aside)}" in checked.out

    zoo.faults.faults = []
    replayed = zoo.done("replay", "--reason", "unreadable_file")
    assert replayed["tried"] == len(aside)
    left = set(zoo.set_aside())
    assert {ARCHIVED} <= left <= {ARCHIVED, *DOTS}
    everything = {name[:200] for name in (*GOOD, *LATER, LAST, *BOTH, *UNREADABLE)} - left
    assert zoo.read() == everything

    zoo.faults.faults = [Fault(ACCESS_DENIED, r"^(GET|HEAD) /[^?]*/(day=28/a|web)")]  # meanwhile, say, they were archived
    zoo.done("reprocess", "--from", "2026-05-28", "--to", "2026-05-28")
    assert zoo.read() == everything


@pytest.mark.parametrize(
    ("names", "denied"),
    [
        pytest.param((f"{MONTH}/a.gz", f"{MONTH}/b.gz"), "gz", id="files"),
        pytest.param((f"{MONTH}/a.gz", f"{MONTH}/b.gz"), "", id="and the folder", marks=pytest.mark.exhaustive),
        pytest.param(("a.gz", "b.gz"), "gz", id="places of their own", marks=pytest.mark.exhaustive),
    ],
)
def test_without_a_right_on_any_object(names: tuple[str, str], denied: str, zoo: Zoo) -> None:
    """That is the role: nothing is set aside before the third run in a row."""
    zoo.put(*names)
    zoo.faults.faults = [Fault(ACCESS_DENIED, rf"^(GET|HEAD) /[^?]*/raw/[^?]+{denied}")]
    for number in (1, 2):
        failed = zoo.run("run")
        assert failed.code == 3, failed.err
        assert "s3:GetObject" in failed.err
        assert "a.gz" in failed.err
        assert ("which has failed 2 runs in a row" in failed.err) is (number == 2)
    assert zoo.query("SELECT 1 FROM quarantine") == []
    assert zoo.done("run")["set_aside"] == 2
    assert not zoo.is_work()


def test_all_single_places_are_refused_and_a_folder_is_not(zoo: Zoo) -> None:
    zoo.put("a.gz", "b.gz", "web/good.gz")
    zoo.faults.faults = [Fault(ACCESS_DENIED, r"^(GET|HEAD) /[^?]*/raw/(a|b)\.gz")]
    assert zoo.done("run")["set_aside"] == 2
    assert zoo.read() == {"web/good.gz"}
    assert not zoo.is_work()
