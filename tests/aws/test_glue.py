"""The Glue catalog follows the tables: their columns as they are, whatever else others have set there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from streaming_app.cli import _exit_code
from streaming_app.deploy import glue
from streaming_app.deploy.ddl import glue_table
from streaming_app.lake.lake import Lake
from streaming_app.model.tables import EVENT, TABLES
from streaming_app.storage.files import Storage
from tests.support.moto import REGION

BUCKET, DATABASE = "clickstream-glue", "clickstream_shop"


@pytest.fixture(scope="module")
def lake(endpoint: str) -> Lake:
    boto3.client("s3", region_name=REGION, endpoint_url=endpoint).create_bucket(Bucket=BUCKET)
    lake = Lake(f"s3://{BUCKET}/lake", Storage(endpoint, REGION))
    lake.create_all()
    return lake


@pytest.fixture
def client(lake: Lake, endpoint: str) -> Iterator[Any]:
    client = boto3.client("glue", region_name=REGION, endpoint_url=endpoint)
    client.create_database(DatabaseInput={"Name": DATABASE})
    yield client
    client.delete_database(Name=DATABASE)


@pytest.fixture
def config(tmp_path: Path, endpoint: str) -> str:
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        f"project_id: shop\nsource: {{uri: s3://{BUCKET}/raw}}\nsink: {{uri: s3://{BUCKET}/lake}}\n"
        f"apps: {{shop: {{transformer: clickstream_sdk}}}}\ns3: {{endpoint: '{endpoint}', region: {REGION}}}\n"
    )
    return str(path)


def sync(config: str, *options: str) -> int:
    return _exit_code(["tables", "sync-glue", "--config", config, "--json", *options], debug=False)


def in_catalog(client: Any) -> dict[str, dict[str, Any]]:
    pages = client.get_paginator("get_tables").paginate(DatabaseName=DATABASE)
    return {table["Name"]: table for page in pages for table in page["TableList"]}


def test_tables_of_an_empty_database_are_those_of_the_stack(
    lake: Lake, client: Any, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log's columns are the contract's: the stack's template, which has no log to look at, says the same."""
    assert sync(config) == 0
    assert json.loads(capsys.readouterr().out) == {"database": DATABASE, "changed": list(TABLES)}
    found = in_catalog(client)
    for table in TABLES.values():
        wanted = glue_table(table, lake.root)
        assert {name: found[table.name][name] for name in wanted} == wanted
    assert sync(config) == 0
    assert json.loads(capsys.readouterr().out)["changed"] == []


def test_a_migrated_table_is_brought_up_to_date(client: Any, config: str, lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    """As an earlier release left it, with a column less, one more, and one of another type."""
    assert sync(config) == 0
    capsys.readouterr()
    older = glue_table(EVENT, lake.root)
    first, second, *others = older["StorageDescriptor"]["Columns"]
    older["StorageDescriptor"]["Columns"] = [{**second, "Type": "int"}, {"Name": "gone", "Type": "string"}, *others]
    older["Parameters"]["owner_of_data"] = "web"
    client.update_table(DatabaseName=DATABASE, TableInput=older)
    assert sync(config, "--dry-run") == 0
    differs = [f"+{first['Name']}", "-gone", f"{second['Name']}: int → {second['Type']}"]
    assert json.loads(capsys.readouterr().out)["plan"] == [{"table": "event", "action": "update", "columns": differs}]
    assert in_catalog(client)["event"]["StorageDescriptor"]["Columns"] == older["StorageDescriptor"]["Columns"]
    assert sync(config) == 0
    now = in_catalog(client)["event"]
    assert now["StorageDescriptor"] == glue_table(EVENT, lake.root)["StorageDescriptor"]
    assert now["Parameters"]["owner_of_data"] == "web", "what others have set stays"


def test_what_the_log_has_counts(client: Any, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is not migrated yet keeps the columns that it has: views would not find others."""
    before = glue.columns_of_log(lake, EVENT)
    assert before is not None
    monkeypatch.setattr(glue, "columns_of_log", lambda *_: before[:-3])
    [change] = [each for each in glue.plan(lake, DATABASE, client) if each.table == "event"]
    assert change.given["StorageDescriptor"]["Columns"] == before[:-3]


def test_errors_have_a_remedy(config: str, lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert sync(config, "--database", "elsewhere") == 1
    shown = capsys.readouterr().err
    assert "error: Glue database elsewhere: " in shown
    assert "give the stack's DatabaseName as --database" in shown


@pytest.mark.parametrize(
    ("kind", "athena"),
    [
        ("long", "bigint"),
        ("timestamp", "timestamp"),
        ({"type": "array", "elementType": "integer", "containsNull": True}, "array<int>"),
        (
            {"type": "map", "keyType": "string", "valueType": {"type": "array", "elementType": "long"}},
            "map<string,array<bigint>>",
        ),
    ],
)
def test_types_are_spelled_as_athena_does(kind: Any, athena: str) -> None:
    assert glue.athena_type(kind) == athena
