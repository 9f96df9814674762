"""Marks by folder, and the fixtures that several tiers share."""

from __future__ import annotations

from pathlib import Path

import pytest

TIERS = {"unit", "spark", "aws", "e2e", "conformance"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test belongs to the tier of its folder: ``pytest -m unit`` starts no JVM."""
    for item in items:
        folder = Path(item.path).parent.name
        if folder in TIERS:
            item.add_marker(getattr(pytest.mark, folder))
