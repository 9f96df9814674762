"""A hook of mkdocs: pages may link to files of the repository outside of ``docs/``, as on a code host; the site gets copies.

``SECURITY.md`` becomes a page of the site; every other file is copied to ``files/`` as it is.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = "docs"
PAGES = {"SECURITY.md": "security.md"}
"""Files that are pages of the site, by their path in the repository."""

_LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to outside of ``docs/``."""
    for name, uri in PAGES.items():
        files.append(File.generated(config, uri, content=(ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")))
    for page in list(files.documentation_pages()):
        if page.src_uri in PAGES.values():
            continue
        for link in _LINK.findall(page.content_string):
            target = _repository_path(link, page.src_uri)
            uri = _site_uri(target)
            if uri and uri not in files.src_uris and (ROOT / target).is_file():
                files.append(File.generated(config, uri, abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - mkdocs names them
    """Point these links to the copies."""
    source = page.file.src_uri
    if source in PAGES.values():
        return markdown

    def replace(found: re.Match[str]) -> str:
        uri = _site_uri(_repository_path(found[0], source))
        return os.path.relpath(uri, posixpath.dirname(source) or ".") if uri else found[0]

    return _LINK.sub(replace, markdown)


def _repository_path(link: str, page_uri: str) -> str:
    return posixpath.normpath(posixpath.join(DOCS, posixpath.dirname(page_uri), link))


def _site_uri(target: str) -> str:
    """Where a file of the repository is on the site; empty for what is in ``docs/`` or nowhere."""
    if target.startswith((f"{DOCS}/", "..")):
        return ""
    return PAGES.get(target, f"files/{target}")
