"""``clickstream report``."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption, extras_installed
from streaming_app.cli.terminal import say
from streaming_app.plugins.load_config import load_settings


def report(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    out: Annotated[Path, Parameter(help="file to write")] = Path("report.html"),
    app: Annotated[str | None, Parameter(help="only this app")] = None,
    from_: Annotated[date | None, Parameter(name="--from", help="first day of events, UTC; by default 90 days at most")] = None,
    to: Annotated[date | None, Parameter(help="last day of events, UTC")] = None,
) -> None:
    """Write a page about what is in the tables: traffic, channels, pages, devices, funnel, data quality, cost.

    The page needs no network and no script: open it in a browser, send it, print it.

    Example: clickstream report --out report.html --from 2026-11-01
    """
    with extras_installed("report"):
        from streaming_app.report.make import write_report  # noqa: PLC0415 - an extra of the wheel

    write_report(load_settings(config), out, app, from_, to)
    say(describe_page(out))


def describe_page(out: Path) -> str:
    """Where the page is: its path, and its address for a browser."""
    return f"wrote {out} ({out.stat().st_size / 1e3:,.0f} kB): open it in a browser, {out.absolute().as_uri()}"
