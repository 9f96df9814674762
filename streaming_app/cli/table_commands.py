"""``clickstream tables``."""

from __future__ import annotations

from cyclopts import App

from streaming_app.errors import QueryError
from streaming_app.model.tables import TABLES, Table

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


def markdown(table: Table) -> str:
    """A table's contract for people."""
    lines = [f"## {table.name}", "", table.meaning]
    if table.key:
        lines.append(f"Key: {', '.join(table.key)}.")
    if table.partition_by:
        lines.append(f"Partitioned by {', '.join(table.partition_by)}.")
    rows = [f"| {column.name} | {column.type} | {column.meaning} |" for column in table.columns]
    return "\n".join([*lines, "", "| column | type | meaning |", "|---|---|---|", *rows])
