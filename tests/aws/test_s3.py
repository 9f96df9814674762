"""Every path on s3://, against moto's server: configuration, raw files, tables and checkpoints; then all readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from streaming_app.lake.lake import Lake
from streaming_app.lake.query import query
from streaming_app.storage.files import Storage
from tests.support.cli_process import Cli
from tests.support.moto import REGION
from tests.support.raw import event, line, write

BUCKET = "clickstream-test"
CONFIG = f"""
project_id: test
source: {{uri: s3://{BUCKET}/raw/}}
sink:   {{uri: s3://{BUCKET}/lake/}}
apps:   {{shop: {{transformer: clickstream_sdk}}}}
enrichers:
  - ip: {{database: s3://{BUCKET}/geo/places.mmdb}}
  - user_agent: {{bot_patterns: s3://{BUCKET}/rules/bots.txt}}
  - traffic_source: {{rules: s3://{BUCKET}/rules/}}
s3:     {{endpoint: "%s", region: {REGION}}}
spark:  {{master: "local[2]"}}
"""


@pytest.fixture(scope="module")
def s3(endpoint: str) -> Any:
    client = boto3.client("s3", endpoint_url=endpoint, region_name=REGION)
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="pipeline.yaml", Body=CONFIG % endpoint)
    client.put_object(Bucket=BUCKET, Key="rules/bots.txt", Body="# ours\nMyMonitor\n")
    rules = json.dumps([{"url": "partner.example", "source": "Our partner", "category": "Partners", "params": []}])
    client.put_object(Bucket=BUCKET, Key="rules/shop/traffic_source_category_rule_v1.json", Body=rules)
    return client


def put_places(s3: Any, city: str, folder: Path) -> None:
    """A geo database in which all of the tests' addresses are in one city."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-City")
    writer.insert_network(IPSet(["203.0.113.0/24"]), {"city": {"names": {"en": city}}, "country": {"iso_code": "KE"}})
    writer.to_db_file(str(folder / "places.mmdb"))
    s3.upload_file(str(folder / "places.mmdb"), BUCKET, "geo/places.mmdb")


def put(s3: Any, path: Path, root: Path) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"raw/{path.relative_to(root)}", Body=path.read_bytes())


def test_the_job_and_its_readers_work_on_s3(s3: Any, cli: Cli, endpoint: str, tmp_path: Path) -> None:
    def clickstream(*arguments: str) -> str:
        done = cli(*arguments, "--config", f"s3://{BUCKET}/pipeline.yaml")
        assert done.code == 0, done.err
        return done.out

    purchase = event(
        "p", event_type="purchase", items=[{"id": "i", "price": 1.5}], attributes={"_session_id": "s-1", "_value": 3}
    )
    put_places(s3, "Nairobi", tmp_path)
    referred = event("a", attributes={"_page_url": "https://shop.example/", "_latest_referrer": "https://partner.example/"})
    put(s3, write(tmp_path, "a.gz", b"broken", line(referred, purchase)), tmp_path)
    first = json.loads(clickstream("run", "--json"))
    assert (first["counts"]["written"], first["counts"]["quarantined"]) == (2, 1)
    put_places(s3, "Mombasa", tmp_path)
    put(s3, write(tmp_path, "b.gz", line(event("a"), event("b"), rid="r-2", ua="MyMonitor/1")), tmp_path)
    second = json.loads(clickstream("run", "--json"))
    assert (second["counts"]["written"], second["counts"]["duplicate"], second["counts"]["files"]) == (1, 1, 1)

    lake = Lake(f"s3://{BUCKET}/lake", Storage(endpoint, REGION))
    [counts] = query(
        lake,
        'SELECT (SELECT count(*) FROM event) e, (SELECT count(*) FROM item) i, (SELECT count(*) FROM "user") u, '
        "(SELECT sum(event_count) FROM session) s, (SELECT count(*) FROM run_metrics) m",
    ).to_pylist()
    assert counts == {"e": 3, "i": 1, "u": 1, "s": 3, "m": 2}
    rows = query(lake, "SELECT geo_city, geo_country, traffic_source_source AS source, bot_source FROM event ORDER BY event_id")
    assert [tuple(row.values()) for row in rows.to_pylist()] == [
        ("Nairobi", "Kenya", "Our partner", None),
        ("Mombasa", "Kenya", "Direct", "signals, list"),  # the database was replaced between the runs
        ("Nairobi", "Kenya", None, None),
    ]
    assert json.loads(clickstream("inspect", "quarantine", "--json"))["raw"] == "broken"
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert any(key.startswith("lake/_checkpoints/ingest/2026-05/commits/") for key in keys)
