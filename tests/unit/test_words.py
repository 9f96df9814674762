"""Code and documentation are in plain English: some words, and function names that are a participle alone, do not occur in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from docs_site.reference import PAGES, page_path

ROOT = Path(__file__).parents[2]

WORDS = ("torn", "anew", "mend", "mends", "mended", "mending", "nobody", "somebody", "anybody", "so be it", "what is told")
"""Words and phrases that a reader has to guess; docs/glossary.md has the ones to use."""

PARTICIPLES = frozenset(
    [
        "asked",
        "bounded",
        "cleaned",
        "coerced",
        "counted",
        "derived",
        "described",
        "encoded",
        "escaped",
        "failed",
        "fitted",
        "found",
        "given",
        "hidden",
        "imported",
        "installed",
        "isolated",
        "joined",
        "listed",
        "looked",
        "made",
        "measured",
        "named",
        "numbered",
        "packed",
        "placed",
        "refused",
        "renamed",
        "required",
        "seen",
        "shown",
        "spent",
        "told",
        "unbounded",
        "unquoted",
    ]
)
"""A function is named by a verb: ``describe``, not ``described``."""


def sources() -> Iterator[Path]:
    for folder in ("streaming_app", "submitter"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def words_in(text: str) -> list[str]:
    return [word for word in WORDS if re.search(rf"\b{word}\b", text, re.IGNORECASE)]


def participles_in(text: str) -> list[str]:
    names = (node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
    return [name for name in names if name.strip("_") in PARTICIPLES]


@pytest.mark.parametrize("find", [words_in, participles_in])
def test_words_that_do_not_occur(find: Callable[[str], list[str]]) -> None:
    found = {str(path.relative_to(ROOT)): names for path in sources() if (names := find(path.read_text()))}
    assert found == {}


DOCUMENTATION = ("docs", "README.md", "SECURITY.md", "Makefile", "mkdocs.yml", "docs_site", "examples")
SUFFIXES = ("", ".md", ".py", ".yml", ".toml")
GENERATED = {page_path(name) for name in PAGES}
"""Pages of ``docs/reference/`` whose words are those of the code."""


def documents(name: str) -> Iterator[Path]:
    for path in (ROOT / name, *sorted((ROOT / name).rglob("*"))):
        if path.is_file() and path.suffix in SUFFIXES and path not in GENERATED:
            yield path


@pytest.mark.parametrize("name", DOCUMENTATION)
def test_words_that_do_not_occur_in_the_documentation(name: str) -> None:
    found = {str(path.relative_to(ROOT)): words for path in documents(name) if (words := words_in(path.read_text()))}
    assert found == {}
