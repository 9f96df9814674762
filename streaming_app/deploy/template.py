"""The generated templates of the deployment: the tables in the Glue catalog, and the saved queries of Athena.

``python -m streaming_app.deploy.template conf/infra`` writes both again; a test fails where they are out of date. They are stacks
of their own, because CloudFormation takes templates of at most 51,200 bytes without a bucket.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streaming_app.deploy.ddl import glue_table
from streaming_app.model.tables import TABLES, Table

GENERATED = ("tables.yaml", "queries.yaml")
NESTED = ("alarms.yaml", *GENERATED)
"""Templates that clickstream.yaml takes from the folder of a release."""

_SINK = "s3://sink"
_NOTE = "# Made by: python -m streaming_app.deploy.template conf/infra. Nothing here is edited by hand.\n"
_HEAD = """\
AWSTemplateFormatVersion: "2010-09-09"
Description: {description}

Parameters:
  Database:
    Description: Glue database of the tables.
    Type: String
    AllowedPattern: ^[a-z0-9_]{{1,255}}$
    ConstraintDescription: must be 1 to 255 of a-z, 0-9 and _
{parameters}
Resources:
"""
_SINK_URI = """\
  SinkUri:
    Description: sink.uri of pipeline.yaml, without a slash at the end.
    Type: String
    AllowedPattern: ^s3://[^/]+(/[^/]+)*$
    ConstraintDescription: must be an s3:// URI without a slash at the end
"""
_WORKGROUP = """\
  Workgroup:
    Description: Athena workgroup that lists the queries.
    Type: String
    AllowedPattern: ^[a-zA-Z0-9._-]{1,128}$
    ConstraintDescription: must be a workgroup's name
"""


def tables_template() -> str:
    """The stack of the tables, by their contracts."""
    head = _HEAD.format(description="Clickstream tables in the Glue catalog, with their columns.", parameters=_SINK_URI)
    return _NOTE + head + "\n".join(map(_table, TABLES.values()))


def queries_template(queries: dict[str, str]) -> str:
    """The stack of the saved queries, SQL texts by name."""
    head = _HEAD.format(description="Saved Athena queries of the clickstream tables.", parameters=_WORKGROUP)
    return _NOTE + head + "\n".join(_query(*each) for each in sorted(queries.items()))


def saved_queries(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in folder.glob("*.sql")}


def _table(table: Table) -> str:
    properties = "\n".join(_yaml_lines(glue_table(table, _SINK), " " * 8))
    return f"""\
  {_camel(table.name)}Table:
    Type: AWS::Glue::Table
    Properties:
      CatalogId: !Ref AWS::AccountId
      DatabaseName: !Ref Database
      TableInput:
{properties}
"""


def _query(name: str, sql: str) -> str:
    """A saved query: its first line is a comment, which describes it."""
    text = "\n".join(f"{' ' * 8}{line}".rstrip() for line in sql.strip().splitlines())
    return f"""\
  {_camel(name)}Query:
    Type: AWS::Athena::NamedQuery
    Properties:
      Name: {name}
      Description: {_json(sql.partition(chr(10))[0].removeprefix("--").strip())}
      Database: !Ref Database
      WorkGroup: !Ref Workgroup
      QueryString: |
{text}
"""


def _yaml_lines(values: dict[str, Any], indent: str) -> Iterator[str]:
    """YAML of nested dictionaries; of a list, each entry is a line."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from _yaml_lines(value, indent + "  ")
        elif isinstance(value, list) and value:
            yield f"{indent}{key}:"
            yield from (f"{indent}- {_flow(each)}" for each in value)
        elif isinstance(value, str) and value.startswith(_SINK):
            yield f'{indent}{key}: !Sub "${{SinkUri}}{value.removeprefix(_SINK)}"'
        else:
            yield f"{indent}{key}: {_json(value)}"


def _flow(values: dict[str, str]) -> str:
    """A mapping on one line."""
    return "{" + ", ".join(f"{key}: {_json(value)}" for key, value in values.items()) + "}"


def _json(value: object) -> str:
    """JSON is YAML, too, and needs no thought about quotes."""
    return json.dumps(value, ensure_ascii=False)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, text in zip(GENERATED, (tables_template(), queries_template(saved_queries(folder.parent / "athena"))), strict=True):
        (folder / name).write_text(text)
