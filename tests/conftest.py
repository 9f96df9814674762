"""Marks by folder, and the fixtures that several tiers share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long a draw takes says something about the machine, which others use besides, and nothing about the code.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

TIERS = {"unit", "spark", "aws", "e2e", "conformance"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test belongs to the tier of its folder: ``pytest -m unit`` starts no JVM."""
    for item in items:
        folder = Path(item.path).parent.name
        if folder in TIERS:
            item.add_marker(getattr(pytest.mark, folder))
