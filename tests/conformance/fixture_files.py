"""Where the recorded fixtures are, and how to read them. They lie beside the repository and are never copied into it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
"""``<repository>/../shared/fixtures``."""

Row = dict[str, Any]
"""A row of a table: column to value."""


def skip_without_recorded_cases() -> None:
    """Skip the module that calls this on import where the fixtures are not there: one line for all of its tests."""
    if not FIXTURES.is_dir():
        pytest.skip("recorded cases of the reference system: ../shared is not here", allow_module_level=True)


@cache
def load_json(path: str) -> Any:
    """A JSON file below the fixtures' folder; callers must not change what they get."""
    return json.loads((FIXTURES / path).read_text(encoding="utf-8"))


def load_lines(path: str) -> list[Row]:
    """The rows of an NDJSON file below the fixtures' folder."""
    return [json.loads(line) for line in (FIXTURES / path).read_text(encoding="utf-8").splitlines() if line.strip()]
