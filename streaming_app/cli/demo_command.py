"""``clickstream demo``: the whole job on generated data, on this machine, in a minute."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators
from rich.console import Console

from streaming_app.cli import terminal
from streaming_app.cli.look_commands import console_for_grids, show
from streaming_app.cli.report_command import described, write_report
from streaming_app.cli.run_command import describe
from streaming_app.config.model import Config
from streaming_app.demo.apps import APPS
from streaming_app.demo.counts import Counts, Generated
from streaming_app.demo.generate import generate
from streaming_app.demo.geo import write_geo_database
from streaming_app.environment import open_lake
from streaming_app.errors import ConfigError
from streaming_app.lake.lake import Lake
from streaming_app.lake.query import query
from streaming_app.metrics.progress import progress_for
from streaming_app.plugins.load_config import load_config

_MARK = ".clickstream-demo"
_CONFIG = """# Written by `clickstream demo`.
project_id: demo
source: {{uri: {folder}/raw}}
sink:   {{uri: {folder}/lake}}
apps:
{apps}
enrichers:
  - ip: {{database: {folder}/geo.mmdb, trusted_proxies: 1}}
  - user_agent: {{}}
  - traffic_source: {{}}
"""

LOOKS = {
    "event": "app_id AS app, event_timestamp, event_name, platform, geo_city, device_ua_browser AS browser, "
    "device_ua_device_category AS device, traffic_source_source AS source, traffic_source_channel_group AS channel "
    "FROM event ORDER BY row_number() OVER (PARTITION BY app ORDER BY channel IS NULL, event_timestamp DESC, event_id), app",
    "item": "event_name, item_id, name, price, quantity FROM item ORDER BY event_timestamp DESC, event_id, item_index",
    "change": "event_timestamp, event_name, coalesce(user_pseudo_id, item_id) AS whose, properties_json_str FROM change "
    "ORDER BY row_number() OVER (PARTITION BY event_name ORDER BY event_timestamp DESC, event_id), event_name",
    "user": "user_pseudo_id, user_id, first_visit_date, first_traffic_source, first_traffic_channel_group AS first_channel, "
    'first_referrer FROM "user" ORDER BY user_id, 1',
    "session": "session_start, user_pseudo_id, event_count, page_view_count AS views, engagement_time_msec AS engaged, "
    "is_bounce, session_source, session_channel_group AS channel, geo_country FROM session ORDER BY event_count DESC, 1, 2",
    "item_attributes": "item_id, event_timestamp, is_deleted, attributes_json_str FROM item_attributes ORDER BY 2 DESC, 1",
    "quarantine": "app_id AS app, reason, stage, message FROM quarantine ORDER BY reason, app, source_file, source_line",
    "run_metrics": "batch_id, files, received, written, duplicate, filtered, quarantined, pass_cpu_seconds FROM run_metrics",
}
"""What is shown of each table."""


def demo(
    *,
    events: Annotated[int, Parameter(help="distinct good events to generate", validator=validators.Number(gte=1))] = 10_000,
    folder: Annotated[Path, Parameter(help="where to put raw files, tables and the configuration")] = Path(".demo"),
    rows: Annotated[int, Parameter(help="rows to show of each table")] = 3,
) -> None:
    """Generate raw files, run the job on them twice, show what is in the tables, and write a page about it for people.

    Example: clickstream demo --events 50000
    """
    console = console_for_grids()
    folder = folder.absolute()
    _clear(folder)
    made = generate(folder / "raw", events, apps=tuple(APPS))
    write_geo_database(folder / "geo.mmdb")
    console.print(_describe(made, folder), highlight=False)
    config_path = folder / "pipeline.yaml"
    apps = "\n".join(f"  {app_id}: {{transformer: {app.transformer}}}" for app_id, app in APPS.items())
    config_path.write_text(_CONFIG.format(folder=folder, apps=apps))
    config = load_config(str(config_path))
    for title in ("first run", "second run, nothing new"):
        _run(config, title, console)
    _show_tables(open_lake(config), rows, console)
    page = described(write_report(config, folder / "report.html"))
    console.print(f"\n{page}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"look closer: clickstream sql -c {config_path} 'SELECT …'", highlight=False, markup=False)


def _clear(folder: Path) -> None:
    """Empty the folder of an earlier demo; never one that holds anything else."""
    foreign = folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).exists())
    if foreign:
        raise ConfigError(f"{folder} is there and is no folder of an earlier demo", "choose another one with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / _MARK).touch()


def _describe(made: Generated, folder: Path) -> str:
    lines = [f"generated {made.files} raw files ({made.stored_bytes / 1e6:.1f} MB) in {folder / 'raw'}: {made.events:,} events"]
    return "\n".join(
        lines + [f"  {app_id} ({APPS[app_id].transformer}): {_describe_app(counts)}" for app_id, counts in made.apps.items()]
    )


def _describe_app(counts: Counts) -> str:
    dirt = ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.broken.items()))
    changes = f", {counts.changes:,} changes of attributes" if counts.changes else ""
    return f"{counts.events:,} events{changes}, {counts.resent:,} sent again, and on purpose {dirt}"


def _run(config: Config, title: str, console: Console) -> None:
    from streaming_app import pipeline  # noqa: PLC0415 - PySpark takes half a second that other commands need not pay

    console.print(f"\n[bold]{title}[/bold]")
    began = time.monotonic()
    with progress_for(terminal.console(stderr=True)) as progress:
        summary = pipeline.run(config, progress)
    console.print(f"{describe(summary)}\n{time.monotonic() - began:.1f} s", highlight=False)


def _show_tables(lake: Lake, rows: int, console: Console) -> None:
    for table, select in LOOKS.items():
        count = query(lake, f'SELECT count(*) AS n FROM "{table}"')["n"][0].as_py()
        console.print(f"\n[bold]{table}[/bold]: {count:,} rows", highlight=False)
        show(query(lake, f"SELECT {select} LIMIT {rows}"), console)
