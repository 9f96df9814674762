"""``clickstream inspect`` and ``clickstream sql``: queries of the tables in a second, without Spark."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pyarrow as pa
from cyclopts import Parameter, validators
from rich.console import Console
from rich.table import Column
from rich.table import Table as Grid
from rich.text import Text

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption, open_lake_of
from streaming_app.cli.terminal import console, say_json_text
from streaming_app.lake.query import QueryLimits, query
from streaming_app.model.arrow import to_rows
from streaming_app.model.client_text import escape

TableName = Literal["event", "item", "user", "session", "quarantine", "run_metrics", "change", "item_attributes", "operation"]
RowsJsonOption = Annotated[bool, Parameter(negative="", help="print one JSON object per row")]
_ABOVE_0 = validators.Number(gt=0)
Seconds = Annotated[float, Parameter(name="--max-seconds", validator=_ABOVE_0, help="give up after so long")]
MemoryMb = Annotated[
    int, Parameter(name="--max-memory-mb", validator=_ABOVE_0, help="give up beyond it, and ten times as much disk")
]
MaxRows = Annotated[int, Parameter(name="--max-rows", validator=_ABOVE_0, help="give up where the result has more")]
_LIMITS = QueryLimits()
_MAX_CELL_CHARS = 60


def inspect(
    table: TableName,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    where: Annotated[str | None, Parameter(help="SQL condition on the table's columns")] = None,
    limit: Annotated[int, Parameter(help="rows to show")] = 5,
    max_seconds: Seconds = _LIMITS.seconds,
    max_memory_mb: MemoryMb = _LIMITS.memory_mb,
    json: RowsJsonOption = False,
) -> None:
    """Show rows of a table, newest first where it has times; one row a block, columns without a value left out.

    Example: clickstream inspect quarantine --where "reason = 'too_late'"
    """
    condition = f"WHERE {where}" if where else ""
    newest = "created_time" if table in ("quarantine", "run_metrics", "operation") else "event_timestamp"
    lake, chosen = open_lake_of(config), f'SELECT * FROM "{table}" {condition}'
    limits = QueryLimits(max_seconds, max_memory_mb, max(1, limit))
    rows = query(lake, f"SELECT * FROM ({chosen}) ORDER BY {newest} DESC LIMIT {limit}", limits)
    total = query(lake, f"SELECT count(*) AS n FROM ({chosen})", limits)["n"][0].as_py()
    if json:
        print_rows_as_json(rows)
        return
    out = console(soft_wrap=True)
    out.print(f"{table}: {total:,} rows, {rows.num_rows} shown", style="bold")
    for row in to_rows(rows):
        out.print()
        for column, value in row.items():
            if value is not None:
                out.print(f"  {column:<42}{format_cell(value)}", markup=False, highlight=False)


def sql(
    select: str,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    max_seconds: Seconds = _LIMITS.seconds,
    max_memory_mb: MemoryMb = _LIMITS.memory_mb,
    max_rows: MaxRows = _LIMITS.rows,
    json: RowsJsonOption = False,
) -> None:
    """Run a SELECT over the tables (`clickstream tables describe` lists them).

    Example: clickstream sql "SELECT event_name, count(*) FROM event GROUP BY ALL ORDER BY 2 DESC"
    """
    rows = query(open_lake_of(config), select, QueryLimits(max_seconds, max_memory_mb, max_rows))
    if json:
        print_rows_as_json(rows)
    else:
        print_grid(rows, console_for_grids())


def console_for_grids() -> Console:
    """A console as wide as the terminal, or 200 characters for a file or a pipe."""
    plain = console()
    return plain if plain.is_terminal else console(width=200)


def print_grid(rows: pa.Table, out: Console) -> None:
    """Print rows as a grid."""
    grid = Grid(*(Column(Text(escape(name)), no_wrap=True) for name in rows.column_names))
    for row in to_rows(rows):
        grid.add_row(*(Text(format_cell(value)) for value in row.values()))
    out.print(grid)


def print_rows_as_json(rows: pa.Table) -> None:
    """Print rows as one JSON object a line."""
    encoder = msgspec.json.Encoder(decimal_format="number")  # DuckDB's sums of integers are decimals
    for row in to_rows(rows):
        say_json_text(encoder.encode(row).decode())


def format_cell(value: Any) -> str:
    """Format a value in at most 60 characters, on one line."""
    text = escape(("" if value is None else str(value))[: _MAX_CELL_CHARS + 1])
    return text if len(text) <= _MAX_CELL_CHARS else text[: _MAX_CELL_CHARS - 1] + "…"
