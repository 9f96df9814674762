"""``clickstream tables``."""

from __future__ import annotations

import json as json_text
import re
from typing import Annotated

from cyclopts import App, Parameter

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption
from streaming_app.config.load import load_config
from streaming_app.errors import QueryError
from streaming_app.model.tables import TABLES, Table
from streaming_app.tables.ddl import athena_ddl, glue_table

tables_app = App(name="tables", help="What the tables are.")


@tables_app.command
def describe(table: str | None = None) -> None:
    """Print the contract of one table, or of all, as Markdown: column, type, meaning.

    Example: clickstream tables describe session
    """
    if table is not None and table not in TABLES:
        raise QueryError(f"there is no table {table!r}", f"tables are {', '.join(TABLES)}")
    chosen = TABLES.values() if table is None else [TABLES[table]]
    print("\n\n".join(markdown(each) for each in chosen))


@tables_app.command
def ddl(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    database: Annotated[str | None, Parameter(help="database of the tables; by default named like project_id")] = None,
    json: Annotated[bool, Parameter(negative="", help="print the TableInput of Glue's CreateTable instead, one a line")] = False,
) -> None:
    """Print the SQL that makes the tables known to Athena, which runs one statement at a time.

    Example: clickstream tables ddl --database clickstream
    """
    loaded = load_config(config)
    if json:
        print("\n".join(json_text.dumps(glue_table(table, loaded.sink.uri)) for table in TABLES.values()))
    else:
        print(athena_ddl(loaded.sink.uri, database or re.sub("[^a-z0-9]+", "_", loaded.project_id.lower())))


def markdown(table: Table) -> str:
    """A table's contract for people."""
    lines = [f"## {table.name}", "", table.meaning]
    if table.key:
        lines.append(f"Key: {', '.join(table.key)}.")
    if table.partition_by:
        lines.append(f"Partitioned by {', '.join(table.partition_by)}.")
    rows = [f"| {column.name} | {column.type} | {column.meaning} |" for column in table.columns]
    return "\n".join([*lines, "", "| column | type | meaning |", "|---|---|---|", *rows])
