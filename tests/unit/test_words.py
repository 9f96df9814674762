"""The language of docs/glossary.md: words that it rules out do not occur, functions are named by verbs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from docs_site.reference import PAGES, page_path

ROOT = Path(__file__).parents[2]
CHECKED = ("docs", "README.md", "SECURITY.md", "Makefile", "mkdocs.yml", "docs_site")
"""Files and folders that are looked through."""
GENERATED = {page_path(name) for name in PAGES}
"""Pages whose words are those of the code."""
SUFFIXES = ("", ".md", ".py", ".yml", ".toml", ".yaml")

INSTEAD = {
    "torn": "incomplete",
    "anew": "again, from the beginning",
    "mend": "fix, repair",
    "mends": "fixes",
    "mended": "fixed",
    "mending": "fixing",
    "nobody": "no process, no reader, …",
    "somebody": "a user, a process, …",
    "anybody": "any user, any process, …",
    "so be it": "(say what happens)",
    "what is told": "(say what is reported)",
}
"""What does not occur, and what stands there instead."""
PATTERN = re.compile(rf"\b({'|'.join(map(re.escape, INSTEAD))})\b", re.IGNORECASE)


def _files(name: str) -> list[Path]:
    path = ROOT / name
    found = [path] if path.is_file() else path.rglob("*")
    return [each for each in found if each.is_file() and each.suffix in SUFFIXES and each not in GENERATED]


@pytest.mark.parametrize("name", CHECKED)
def test_words_that_do_not_occur(name: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {word[0]}, rather: {INSTEAD[word[0].lower()]}"
        for file in _files(name)
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        for word in PATTERN.finditer(line)
    ]
    assert found == []


CODE = ("docs_site",)
"""Folders whose functions are looked at."""
PARTICIPLES = {
    *(
        "asked",
        "became",
        "bound",
        "built",
        "checked",
        "done",
        "fitted",
        "found",
        "given",
        "gone",
        "held",
        "known",
        "left",
        "looked",
    ),
    *("made", "met", "moved", "placed", "planned", "said", "sent", "shown", "spent", "taken", "told", "written"),
}


@pytest.mark.parametrize("name", CODE)
def test_functions_are_named_by_verbs(name: str) -> None:
    """A participle alone says neither what is done nor to what."""
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for file in sorted((ROOT / name).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.strip("_") in PARTICIPLES
    ]
    assert found == []
