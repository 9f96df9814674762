"""Of a micro-batch that fails, the files that it fails by; the others are read, each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.errors import StorageError
from streaming_app.ingest.isolate import GIVEN_UP, Suspects, isolate


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


class Ended(BaseException):
    """A run ends, and what it knew is gone."""


@given(count=st.integers(1, 40), data=st.data())
def test_files_that_end_the_whole_run_are_found_over_some_runs(count: int, data: st.DataObject) -> None:
    """Each run knows of the one before it only the trial in which that one ended, and how often it did so there."""
    files = list(range(count))
    deadly = data.draw(st.sets(st.sampled_from(files), max_size=3))
    bad = data.draw(st.sets(st.sampled_from(files), max_size=3)) - deadly
    interrupted: Suspects[int] | None = None
    for _ in range(40):
        tried: list[Suspects[int]] = []
        machine = Machine(bad)

        def begin(part: Sequence[int], before: Suspects[int] | None = interrupted, tried: list[Suspects[int]] = tried) -> None:
            times = before.times if before and set(before.files) == set(part) else 0
            tried.append(Suspects(part, times + 1, before.all_given_up() if before else ()))

        def run(part: Sequence[int], machine: Machine = machine) -> tuple[int, ...]:
            if deadly & set(part):
                raise Ended
            return machine(part)

        if interrupted is None:
            begin(files)
        try:
            found = isolate(files, run, interrupted, begin)
        except Ended:
            interrupted = tried[-1]
        else:
            break
    else:
        pytest.fail("it never ends")
    assert Counter(file for part in found.results for file in part) == Counter(set(files) - bad - deadly)
    failed = [file for file, _ in found.failed]
    assert len(failed) == len(set(failed))
    assert set(failed) == bad | deadly


def test_a_suspect_is_given_up_without_another_trial() -> None:
    machine = Machine({1})
    found = isolate([0, 1], machine, Suspects([1], GIVEN_UP))
    assert machine.calls == [(0,)]
    assert [(file, str(error)) for file, error in found.failed] == [(1, "runs ended while it was read alone")]


def test_suspects_of_a_broken_machine_are_no_suspects() -> None:
    machine = Machine(set(), broken=True)
    with pytest.raises(RuntimeError, match="the machine"):
        isolate(range(1_000), machine, Suspects(range(500), 1))
    assert len(machine.calls) == 2
