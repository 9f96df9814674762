"""What is told, once, where there is no browser."""

from __future__ import annotations

import shutil

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@pytest.hookimpl(trylast=True)  # of the tests that were asked for
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a browser, all tests that need one are left out but the first, which says so for all of them."""
    needing = [item for item in items if item.get_closest_marker("browser")]
    if needing and not (CHROMIUM and DRIVER):
        missing = "install Debian's packages chromium and chromium-driver"
        needing[0].add_marker(pytest.mark.skip(reason=f"NOT TESTED: the report in a browser, {len(needing)} tests; {missing}"))
        config.hook.pytest_deselected(items=needing[1:])
        items[:] = [item for item in items if item not in needing[1:]]
