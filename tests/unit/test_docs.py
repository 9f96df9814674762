"""The documentation: pages that come from the code are those of today's code, and no link between pages is broken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from docs_site.reference import PAGES, page_path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES_WITH_LINKS = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("examples/*/README.md")])
RECORDS = sorted(DOCS.glob("decisions/[0-9]*.md"))
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:[\w-]+/)*[\w-]+\.py)`")
MODULE = re.compile(r"python -m ((?:streaming_app|submitter|benchmarks|supply_chain|docs_site|tests)\b[\w.]*)")
FENCE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("name", PAGES)
def test_reference_page_is_that_of_the_code(name: str) -> None:
    assert page_path(name).read_text(encoding="utf-8") == PAGES[name](), "make reference"


@pytest.mark.parametrize("page", PAGES_WITH_LINKS, ids=name_of)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    """Links to other sites are not followed."""
    broken = []
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        found = (page.parent / target).resolve() if target else page
        if not found.is_file() or (anchor and anchor not in headings(found)):
            broken.append(link)
    assert broken == []


def headings(page: Path) -> set[str]:
    """The anchors that a code host and the site give to a page's headings."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES_WITH_LINKS, ids=name_of)
def test_modules_that_are_named_exist(page: Path) -> None:
    """Paths in backticks, from the root or below the application's; and what ``python -m`` is given."""
    text = page.read_text(encoding="utf-8")
    paths = {*PATH.findall(text), *(f"{name.replace('.', '/')}.py" for name in MODULE.findall(text))}
    places = (ROOT, ROOT / "streaming_app", page.parent)
    missing = [
        path
        for path in sorted(paths)
        if not any((root / path).exists() or (root / path).with_suffix("").is_dir() for root in places)
    ]
    assert missing == []


def test_the_architecture_names_every_folder() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    folders = [each.parent for each in (ROOT / "streaming_app").glob("*/__init__.py")] + [
        each.parent for each in ROOT.glob("*/__init__.py") if each.parent.name != "streaming_app"
    ]
    assert [folder.name for folder in folders if f"**`{folder.name}/`**" not in text] == []


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_decision_record_has_the_four_parts(record: Path) -> None:
    """Its number is that of its file, and the index has it."""
    title, *parts = re.findall(r"^##? (.+)$", record.read_text(encoding="utf-8"), re.MULTILINE)
    number, _, words = title.partition(". ")
    assert record.name.startswith(f"{int(number):04}-")
    assert parts == ["Context", "Decision", "Consequences", "Measurement"]
    assert f"| {number} | [{words}]({record.name}) |" in (record.parent / "index.md").read_text(encoding="utf-8")


def test_decision_records_are_numbered_without_gaps() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_the_site_loads_nothing_from_elsewhere() -> None:
    """No font or script of another host; a mermaid diagram would fetch its script."""
    site = YAML(typ="safe").load((ROOT / "mkdocs.yml").read_text())
    assert site["theme"]["font"] is False
    assert "://" not in "".join([*site["extra_css"], *site.get("extra_javascript", [])])
    embedded = re.compile(r"```mermaid|!\[[^\]]*\]\(\w+://|<(?:script|img|iframe)\b")
    assert [name_of(page) for page in DOCS.rglob("*.md") if embedded.search(page.read_text(encoding="utf-8"))] == []


def test_every_page_is_in_the_navigation() -> None:
    listed = set(_pages(YAML(typ="safe").load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert listed == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} | {"security.md"}


def _pages(nav: object) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    entries = nav.values() if isinstance(nav, dict) else nav
    return [page for entry in entries for page in _pages(entry)]
