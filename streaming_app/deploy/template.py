"""The generated part of the deployment's template: the tables in the Glue catalog and the saved queries of Athena.

``python -m streaming_app.deploy.template conf/infra/clickstream.yaml`` writes it again; a test fails where it is out of date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streaming_app.deploy.ddl import glue_table
from streaming_app.model.tables import TABLES, Table

FIRST = "  # --- Made by: python -m streaming_app.deploy.template conf/infra/clickstream.yaml. Nothing below is edited by hand\n"
_SINK = "s3://sink"
_IN_SINK = '!Sub ["s3://${{Bucket}}/${{SinkPrefix}}{path}", {{Bucket: !If [CreateSink, !Ref LakeBucket, !Ref SinkBucket]}}]'


def update_template(template: str, queries: dict[str, str]) -> str:
    """The template's text with its generated last part written again. ``queries`` are SQL texts by name.

    Raises:
        ValueError: the template has no line that the made part begins with.
    """
    written, first, _ = template.partition(FIRST)
    if not first:
        raise ValueError(f"the template has no line {FIRST.strip()!r}")
    made = [*(_table(table) for table in TABLES.values()), *(_query(*each) for each in sorted(queries.items()))]
    return written + first + "\n".join(made)


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
    """YAML of nested dictionaries."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from _yaml_lines(value, indent + "  ")
        elif isinstance(value, str) and value.startswith(_SINK):
            yield f"{indent}{key}: {_IN_SINK.format(path=value.removeprefix(_SINK))}"
        else:
            yield f"{indent}{key}: {_json(value)}"


def _json(value: object) -> str:
    """JSON is YAML, too, and needs no thought about quotes."""
    return json.dumps(value, ensure_ascii=False)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(update_template(path.read_text(), saved_queries(path.parent.parent / "athena")))
