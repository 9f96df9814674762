"""The code speaks plain English: some words, and function names that are a participle alone, do not occur in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

WORDS = ("torn", "anew", "mend", "mends", "mended", "nobody", "somebody", "anybody", "so be it", "what is told")
"""Words and phrases that a reader has to guess; docs/glossary.md has the ones to use."""

PARTICIPLES = (
    *("asked", "described", "fitted", "found", "given", "hidden", "listed", "looked", "made", "measured", "named", "packed"),
    *("placed", "seen", "shown", "spent", "told"),
)
"""A function is named by a verb: ``describe``, not ``described``."""

NOT_YET = {
    "words": (
        *("streaming_app/derive", "streaming_app/enrichers", "streaming_app/ingest", "streaming_app/lake"),
        *("streaming_app/plugins", "streaming_app/spark", "streaming_app/storage", "streaming_app/testing"),
        "streaming_app/transformers",
    ),
    "names": (
        *("streaming_app/backlog", "streaming_app/config", "streaming_app/enrichers", "streaming_app/ingest"),
        *("streaming_app/lake", "streaming_app/model", "streaming_app/plugins", "streaming_app/storage", "streaming_app/testing"),
    ),
}
"""Folders that still have some."""


def sources() -> Iterator[Path]:
    for folder in ("streaming_app", "submitter"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def words_in(text: str) -> list[str]:
    return [word for word in WORDS if re.search(rf"\b{word}\b", text, re.IGNORECASE)]


def participles_in(text: str) -> list[str]:
    names = (node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
    return [name for name in names if name.strip("_") in PARTICIPLES]


@pytest.mark.parametrize(("kind", "find"), [("words", words_in), ("names", participles_in)])
def test_words_that_do_not_occur(kind: str, find: Callable[[str], list[str]]) -> None:
    found = {str(path.relative_to(ROOT)): names for path in sources() if (names := find(path.read_text()))}
    assert {path: names for path, names in found.items() if not path.startswith(NOT_YET[kind])} == {}
