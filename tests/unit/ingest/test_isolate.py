"""Of a micro-batch that fails, the files that it fails by; the others are read, each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.errors import StorageError
from streaming_app.ingest.isolate import isolate


class Machine:
    """Fails on some files, each time or the first few times; ``calls`` are the groups that it was given."""

    def __init__(self, bad: set[int], *, moments: int = 0, broken: bool = False) -> None:
        self.bad, self.moments, self.broken = bad, moments, broken
        self.calls: list[tuple[int, ...]] = []

    def __call__(self, files: Sequence[int]) -> tuple[int, ...]:
        self.calls.append(tuple(files))
        if self.broken or len(self.calls) <= self.moments:
            raise RuntimeError("the machine")
        if found := self.bad & set(files):
            raise RuntimeError(f"died of {sorted(found)}")
        return tuple(files)


@given(count=st.integers(0, 60), data=st.data())
def test_each_good_file_once_and_each_bad_one_named(count: int, data: st.DataObject) -> None:
    files = list(range(count))
    bad = data.draw(st.sets(st.sampled_from(files))) if files else set()
    machine = Machine(bad)
    found = isolate(files, machine)
    assert Counter(file for part in found.results for file in part) == Counter(set(files) - bad)
    assert {file: str(error) for file, error in found.failed} == {file: f"died of [{file}]" for file in bad}
    alone = Counter(call[0] for call in machine.calls if len(call) == 1)
    assert all(alone[file] >= 2 for file in bad)


@pytest.mark.parametrize(
    ("moments", "calls"),
    [(0, [(0, 1, 2)]), (1, [(0, 1, 2)] * 2), (2, [(0, 1, 2), (0, 1, 2), (), (0, 2), (1,)])],
    ids=["none", "of the first try", "of two tries"],
)
def test_failures_of_the_moment_set_nothing_aside(moments: int, calls: list[tuple[int, ...]]) -> None:
    machine = Machine(set(), moments=moments)
    machine.calls = []
    files = [0, 1, 2]
    if moments == 2:  # the third call, without a file, tells that the machine is well again
        assert isolate(files, machine).failed == []
    else:
        assert isolate(files, machine).results == [(0, 1, 2)]
    assert machine.calls == calls


def test_one_bad_file_of_many_is_found_in_few_calls() -> None:
    machine = Machine({700})
    isolate(range(1_024), machine)
    assert len(machine.calls) <= 2 + 1 + 2 * 10 + 1


def test_what_fails_without_a_file_is_no_files_fault() -> None:
    machine = Machine(set(), broken=True)
    with pytest.raises(RuntimeError, match="the machine"):
        isolate(range(1_000), machine)
    assert len(machine.calls) == 3


def test_a_failing_storage_ends_it_at_once() -> None:
    calls = []

    def run(files: Sequence[int]) -> None:
        calls.append(files)
        raise StorageError("SlowDown")

    with pytest.raises(StorageError):
        isolate([1, 2, 3], run)
    assert len(calls) == 1
