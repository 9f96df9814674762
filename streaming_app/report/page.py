"""Rendering the page. Its template escapes every value, since anyone who can send an event can choose values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from streaming_app import __version__
from streaming_app.report import charts, formats
from streaming_app.report.blocks import Cards, ReportSection


@dataclass(frozen=True, slots=True)
class ReportPage:
    """The content of the page; ``asides`` are sentences below the key figures."""

    project: str
    period: str
    note: str
    apps: Sequence[str]
    compared: str
    cards: Cards
    asides: Sequence[str]
    sections: Sequence[ReportSection]


def render(page: ReportPage, written: datetime) -> str:
    """Render the page as self-contained HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.j2")
    shown = {"page": page, "written": formats.format_time(written), "version": __version__, "shorten": formats.shorten}
    return template.render(**shown, width=charts.WIDTH, height=charts.HEIGHT)
