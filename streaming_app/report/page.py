"""The page itself: sections in a template that escapes every value, as much of it came from anyone who could send an event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from streaming_app import __version__
from streaming_app.report import charts, words
from streaming_app.report.blocks import Cards, ReportSection


@dataclass(frozen=True, slots=True)
class ReportPage:
    """``asides`` are sentences below the key figures."""

    project: str
    period: str
    note: str
    apps: Sequence[str]
    compared: str
    cards: Cards
    asides: Sequence[str]
    sections: Sequence[ReportSection]


def render(page: ReportPage, written: datetime) -> str:
    """The page as HTML, complete in itself."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.j2")
    shown = {"page": page, "written": words.moment(written), "version": __version__, "shorten": words.shorten}
    return template.render(**shown, width=charts.WIDTH, height=charts.HEIGHT)
