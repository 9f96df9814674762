"""Marks by folder, how long properties are searched, and which files are tested by one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from tests.support.package import HERE, Package, made_by_wheel, skip_without_uv

# How long a draw takes says something about the machine, which others use besides, and nothing about the code.
_ANY_MACHINE: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}
settings.register_profile("quick", max_examples=40, **_ANY_MACHINE)
settings.register_profile("exhaustive", max_examples=400, **_ANY_MACHINE)
settings.load_profile("quick")  # pytest's option --hypothesis-profile loads another

TIERS = {"unit", "spark", "aws", "e2e", "conformance"}
TOGETHER = {
    "commands on S3": ("aws/test_faults.py", "aws/test_s3.py", "aws/test_upkeep.py", "aws/test_zoo.py"),
    "a package": ("aws/test_circle.py", "e2e/test_package.py"),
    "a session": tuple(f"spark/test_{name}.py" for name in ("again", "crash", "digest", "erase", "extremes", "layout")),
    "another session": tuple(
        f"spark/test_{name}.py" for name in ("job", "killed", "new_files", "soak", "upkeep", "windows", "zoo")
    ),
}
"""Files that one process tests: what they share (a JVM, with its jars for S3 or without, a package) is made once for each process."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test belongs to the tier of its folder: ``pytest -m unit`` starts no JVM."""
    for item in items:
        tier = Path(item.path).relative_to(Path(__file__).parent).parts[0]
        if tier in TIERS:
            item.add_marker(getattr(pytest.mark, tier))


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """A package for this machine."""
    skip_without_uv()
    return made_by_wheel(tmp_path_factory.mktemp("here"), HERE)


class FilesTogether(LoadFileScheduling):
    """Each file is tested by one process, as with ``--dist loadfile``, and so are the files of a row of :data:`TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((name for name, files in TOGETHER.items() if file.endswith(files)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesTogether | None:
    return FilesTogether(config, log) if config.getoption("dist") == "loadfile" else None
