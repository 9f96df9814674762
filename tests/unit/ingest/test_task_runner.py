"""Units of work are divided among tasks evenly, each to one of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streaming_app.ingest.commit.task_runner import TASK_SECONDS, TaskRunner, group_by_weight


@given(weights=st.lists(st.floats(0, 100), max_size=40), cores=st.integers(1, 8))
def test_groups_are_even(weights: list[float], cores: int) -> None:
    units = list(range(len(weights)))
    groups = group_by_weight(units, weights, cores)
    assert sorted(unit for group in groups for unit in group) == units
    sums = [sum(weights[unit] for unit in group) for group in groups]
    if units:
        assert len(groups) == min(len(units), max(cores, -(-sum(weights) // TASK_SECONDS)))
        assert max(sums) - min(sums) <= max(weights) + 1e-6  # the last unit came to the lightest group


def test_without_a_session_everything_runs_here() -> None:
    def work(units: list[int]) -> list[bytes]:
        return [str(unit).encode() for unit in units]

    assert list(TaskRunner().run([1, 2], lambda _: 1e9, work)) == [b"1", b"2"]
    assert list(TaskRunner().run([], lambda _: 1e9, work)) == []
    read = lambda parts, units: ((unit % parts, str(unit).encode()) for unit in units)  # noqa: E731
    assert TaskRunner().exchange([1, 2], lambda _: 1e9, read, lambda _, found: b" ".join(found)) == [b"1 2"]
