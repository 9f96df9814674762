"""Write the reference pages: ``make reference``."""

from __future__ import annotations

from docs_site.reference import PAGES, page_path

for name, render in PAGES.items():
    page_path(name).write_text(render(), encoding="utf-8")
