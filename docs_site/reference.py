"""The pages of ``docs/reference/`` that are generated from the code, and what generates each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from docs_site.commands import commands_page
from docs_site.configuration import configuration_page
from docs_site.plugin_api import plugin_api_page
from docs_site.tables import tables_page

PAGES: Mapping[str, Callable[[], str]] = {
    "cli.md": commands_page,
    "configuration.md": configuration_page,
    "plugin-api.md": plugin_api_page,
    "tables.md": tables_page,
}


def page_path(name: str) -> Path:
    """Return where a page is."""
    return Path(__file__).parents[1] / "docs" / "reference" / name
