"""Files are dealt to tasks whole, each once, in about equal shares, and those of one folder together where that is fair."""

from __future__ import annotations

import importlib
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.spark.tasks import TASK_BYTES, SizedFile, forget_zips, group_by_size

MB = 1 << 20


def names(groups: list[list[SizedFile]]) -> list[list[str]]:
    return [[file.uri for file in group] for group in groups]


CASES: dict[str, tuple[list[tuple[str, int]], int, list[list[str]]]] = {
    "nothing": ([], 2, []),
    "one file": ([("h/a", 5)], 8, [["h/a"]]),
    "a folder stays together": ([("h1/a", 5), ("h1/b", 5), ("h2/a", 5), ("h2/b", 5)], 2, [["h1/a", "h1/b"], ["h2/a", "h2/b"]]),
    "not at any price": ([("h1/a", 50), ("h1/b", 50), ("h2/a", 1)], 2, [["h1/a"], ["h1/b", "h2/a"]]),
    "empty files": ([("h/a", 0), ("h/b", 0)], 2, [["h/a", "h/b"]]),
    "more tasks than cores for much data": ([(f"h{n}/a", TASK_BYTES) for n in range(3)], 1, [["h0/a"], ["h1/a"], ["h2/a"]]),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_grouped(case: str) -> None:
    files, cores, expected = CASES[case]
    assert names(group_by_size([SizedFile(uri, size) for uri, size in files], cores)) == expected


@given(
    sizes=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 200 * MB)), max_size=40),
    cores=st.integers(1, 16),
)
def test_every_file_once_and_no_empty_group(sizes: list[tuple[int, int]], cores: int) -> None:
    files = [SizedFile(f"hour={folder}/{number}", size) for number, (folder, size) in enumerate(sizes)]
    groups = group_by_size(files, cores)
    assert Counter(file for group in groups for file in group) == Counter(files)
    assert all(groups)
    assert len(groups) <= max(len(files), 0)


def test_the_last_share_is_no_larger() -> None:
    """Cut at the nearest hour each time, and what one group lacks is spread over those to come."""
    files = [SizedFile(f"h{hour:02}/{server}", 12) for hour in range(20) for server in "ab"]
    assert [sum(file.size for file in group) for group in group_by_size(files, 8)] == [48, 72, 48, 72, 48, 72, 48, 72]


def test_zips_are_not_read_again_and_still_imported_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "packed.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("packed_one.py", "")
        packed.writestr("packed_two.py", "")
    monkeypatch.syspath_prepend(path)
    importlib.import_module("packed_one")
    forget_zips()
    reads: list[str] = []
    monkeypatch.setattr("zipimport._read_directory", reads.append)
    importlib.invalidate_caches()
    assert reads == []
    assert importlib.import_module("packed_two").__file__ == f"{path}/packed_two.py"
