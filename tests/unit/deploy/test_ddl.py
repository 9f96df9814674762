"""What makes the tables known to Athena: every table, by its location and, in Glue, with its columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from streaming_app.cli import _exit_code
from streaming_app.deploy.ddl import glue_table
from streaming_app.model.tables import TABLES, Table

CONFIG = (
    "project_id: My-Shop\nsource: {{uri: s3://b/raw/}}\nsink: {{uri: {0}}}\napps:\n  shop: {{transformer: clickstream_sdk}}\n"
)
USER = "CREATE EXTERNAL TABLE IF NOT EXISTS `{0}`.`user` LOCATION 's3://b/lake/user/' TBLPROPERTIES ('table_type'='DELTA');"


def ddl(folder: Path, lake: str, *options: str) -> int:
    config = folder / "pipeline.yaml"
    config.write_text(CONFIG.format(lake))
    return _exit_code(["tables", "ddl", "--config", str(config), *options], debug=False)


@pytest.mark.parametrize(
    ("lake", "options", "database"),
    [
        ("s3://b/lake/", [], "clickstream_my_shop"),
        ("s3://b/lake", ["--database", "web"], "web"),
        ("s3a://b/lake/", ["--database", "2026_web"], "2026_web"),  # Athena knows no s3a://
    ],
)
def test_statements(lake: str, options: list[str], database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ddl(tmp_path, lake, *options) == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first == f"CREATE DATABASE IF NOT EXISTS `{database}`;"
    assert [each.split()[6] for each in others] == [f"`{database}`.`{table}`" for table in TABLES]
    assert USER.format(database) in others


@pytest.mark.parametrize(
    ("lake", "options", "error"),
    [
        ("/data/lake", [], "error: sink.uri: Athena reads tables on S3 only, these are in /data/lake\nhint: name an s3:// URI"),
        ("/data/lake", ["--json"], "error: sink.uri: Athena reads tables on S3 only"),
        ("s3://b/lake", ["--database", "my-web"], "error: 'my-web' is no name for an Athena database\nhint: --database takes"),
    ],
)
def test_errors(lake: str, options: list[str], error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ddl(tmp_path, lake, *options) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(error)


def test_json_is_one_table_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ddl(tmp_path, "s3://b/lake", "--json") == 0
    found = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
    assert found == [glue_table(table, "s3://b/lake") for table in TABLES.values()]


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_glue_takes_the_table(table: Table) -> None:
    """botocore checks the input against Glue's own model."""
    given: dict[str, Any] = glue_table(table, "s3a://b/lake/")
    glue = boto3.client("glue", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106 - no secret, and none is asked for
    with Stubber(glue) as stub:
        stub.add_response("create_table", {}, {"DatabaseName": "web", "TableInput": given})
        glue.create_table(DatabaseName="web", TableInput=given)
    storage = given["StorageDescriptor"]
    assert storage["Location"] == storage["SerdeInfo"]["Parameters"]["path"] == f"s3://b/lake/{table.name}/"
    assert given["Parameters"] == {"EXTERNAL": "TRUE", "spark.sql.sources.provider": "delta"}
    assert given["PartitionKeys"] == []
    # Views and filters compare them with the log, by name and type, in their order.
    types = {"int64": "bigint", "int32": "int", "bool": "boolean", "date32[day]": "date", "timestamp[us, tz=UTC]": "timestamp"}
    in_log = [(field.name, types.get(str(field.type), str(field.type).replace(" ", ""))) for field in table.schema]
    assert [(column["Name"], column["Type"]) for column in storage["Columns"]] == in_log
    assert all(0 < len(column["Comment"].encode()) <= 255 for column in storage["Columns"])
