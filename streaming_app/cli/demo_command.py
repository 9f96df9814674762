"""``clickstream demo``: the whole job on generated data, on this machine, in a minute."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators
from rich.console import Console

from streaming_app.cli.options import extras_installed
from streaming_app.cli.query_commands import console_for_grids, print_grid
from streaming_app.cli.report_command import describe_page
from streaming_app.cli.terminal import console
from streaming_app.config.model import Config
from streaming_app.environment import open_lake
from streaming_app.lake.lake import Lake
from streaming_app.lake.query import query
from streaming_app.metrics.progress import progress_for
from streaming_app.plugins.load_config import load_config

if TYPE_CHECKING:
    from streaming_app.demo.counts import Generated, GeneratedCounts


def demo(
    *,
    events: Annotated[int, Parameter(help="distinct good events to generate", validator=validators.Number(gte=1))] = 10_000,
    folder: Annotated[Path, Parameter(help="where to put raw files, tables and the configuration")] = Path(".demo"),
    rows: Annotated[int, Parameter(help="rows to show of each table")] = 3,
) -> None:
    """Generate raw files, run the job on them twice, show what is in the tables, and write a report page.

    Example: clickstream demo --events 50000
    """
    with extras_installed("demo", "report"):  # the report as well, before a minute is spent on the tables
        from streaming_app.demo.demo import prepare  # noqa: PLC0415 - an extra of the wheel
        from streaming_app.report.make import write_report  # noqa: PLC0415 - an extra of the wheel

    out = console_for_grids()
    folder = folder.absolute()
    generated, config_path = prepare(folder, events)
    out.print(_describe(generated, folder), highlight=False)
    config = load_config(str(config_path))
    for title in ("first run", "second run, nothing new"):
        _run(config, title, out)
    _show_tables(open_lake(config), rows, out)
    page = folder / "report.html"
    write_report(config, page)
    out.print(f"\n{describe_page(page)}", highlight=False, markup=False, soft_wrap=True)
    out.print(f"look closer: clickstream sql -c {config_path} 'SELECT …'", highlight=False, markup=False)


def _describe(generated: Generated, folder: Path) -> str:
    from streaming_app.demo.apps import APPS  # noqa: PLC0415 - an extra of the wheel

    megabytes = generated.stored_bytes / 1e6
    lines = [f"generated {generated.files} raw files ({megabytes:.1f} MB) in {folder / 'raw'}: {generated.events:,} events"]
    return "\n".join(
        lines + [f"  {app_id} ({APPS[app_id].transformer}): {_describe_app(counts)}" for app_id, counts in generated.apps.items()]
    )


def _describe_app(counts: GeneratedCounts) -> str:
    dirt = ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.broken.items()))
    changes = f", {counts.changes:,} changes of attributes" if counts.changes else ""
    return f"{counts.events:,} events{changes}, {counts.resent:,} sent again, and on purpose {dirt}"


def _run(config: Config, title: str, out: Console) -> None:
    from streaming_app import pipeline  # noqa: PLC0415 - PySpark takes half a second that other commands need not pay

    out.print(f"\n[bold]{title}[/bold]")
    began = time.monotonic()
    with progress_for(console(stderr=True)) as progress:
        summary = pipeline.run(config, progress)
    out.print(f"{summary.describe()}\n{time.monotonic() - began:.1f} s", highlight=False)


def _show_tables(lake: Lake, rows: int, out: Console) -> None:
    from streaming_app.demo.demo import PREVIEWS  # noqa: PLC0415 - an extra of the wheel

    for table, select in PREVIEWS.items():
        count = query(lake, f'SELECT count(*) AS n FROM "{table}"')["n"][0].as_py()
        out.print(f"\n[bold]{table}[/bold]: {count:,} rows", highlight=False)
        print_grid(query(lake, f"SELECT {select} LIMIT {rows}"), out)
