"""Which copies of an event id stay is a function of the copies alone: chains of neighbouring days, whatever the order and the split."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import costly
from tests.support.lake import LocalPipeline, balance
from tests.support.raw import NOW, event, line, write

DAY = 86_400_000
FIRST = NOW // DAY * DAY + 1_000
RULES = "rules: {freshness_hours: 9000, clock_correction: false}\n"


def ingest_copies(
    folder: Path, batches: list[list[tuple[int, int]]], neighbour_days: int, tasks: int = 2
) -> list[tuple[int, int]]:
    """Ingest copies of one id, each (day, second of the day) in a file of its own; what stays, and its one item each."""
    pipeline = LocalPipeline(folder, f"{RULES}dedupe: {{neighbour_days: {neighbour_days}}}\n")
    for number, batch in enumerate(batches):
        paths = [_file(folder, f"{number}-{place}", *copy) for place, copy in enumerate(batch)]
        received, accounted_for = balance(pipeline.ingest(*paths, tasks=tasks))
        assert received == accounted_for == len(batch)
    stored = [row["event_time_msec"] - FIRST for row in pipeline.rows("event")]
    items = [int(row["event_timestamp"].timestamp() * 1_000) - FIRST for row in pipeline.rows("item")]
    assert sorted(items) == sorted(stored)
    return sorted((time // DAY, time % DAY // 1_000) for time in stored)


def _file(folder: Path, name: str, day: int, second: int) -> Path:
    time = FIRST + day * DAY + second * 1_000
    sent = event("same", timestamp=time, items=[{"id": f"sku-{day}-{second}"}])
    # Received on the last day of all, so that no rule looks at its age.
    return write(folder / "raw", f"{name}.gz", line(sent, rid=f"r-{name}", ingest_time=FIRST + 60 * DAY, client_timestamp=None))


def smallest_of_each_chain(copies: list[tuple[int, int]], neighbour_days: int) -> list[tuple[int, int]]:
    """The rule as it is written."""
    stay: list[tuple[int, int]] = []
    last = None
    for copy in sorted(copies):
        if last is None or copy[0] - last > neighbour_days:
            stay.append(copy)
        last = copy[0]
    return stay


CASES = {
    "ten days apart": ([(0, 0), (10, 0)], 1),
    "a chain of three days": ([(1, 0), (2, 0), (3, 0)], 1),
    "two chains and what links them": ([(0, 0), (2, 0), (1, 5)], 1),
    "a chain of four": ([(0, 9), (1, 0), (2, 0), (3, 0)], 1),
    "a hole of two days": ([(0, 0), (1, 0), (4, 0)], 2),
    "no neighbours": ([(0, 0), (1, 0), (1, 1)], 0),
}


@pytest.mark.parametrize("case", CASES)
def test_every_order_of_batches_ends_in_the_same_rows(case: str, tmp_path: Path) -> None:
    copies, neighbour_days = CASES[case]
    wanted = smallest_of_each_chain(copies, neighbour_days)
    orders = [[[copy] for copy in order] for order in itertools.permutations(copies)][::2][:3]
    for number, batches in enumerate([[copies], *orders]):
        found = ingest_copies(tmp_path / str(number), batches, neighbour_days, tasks=1 + number % 2)
        assert found == wanted, batches


COPIES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=6, unique=True)


@given(copies=COPIES, neighbour_days=st.integers(0, 2), data=st.data())
@costly(16)
def test_any_split_and_order_follows_the_rule(
    copies: list[tuple[int, int]], neighbour_days: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shuffled = data.draw(st.permutations(copies))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(copies)), max_size=4)))
    batches = [shuffled[begin:end] for begin, end in itertools.pairwise([0, *cuts, len(copies)]) if begin < end]
    again = data.draw(st.lists(st.sampled_from(copies), max_size=2, unique=True))  # sent once more at the end
    found = ingest_copies(tmp_path_factory.mktemp("chains"), [*batches, *([again] if again else [])], neighbour_days)
    assert found == smallest_of_each_chain(copies, neighbour_days)


def test_the_same_id_twice_in_a_request_on_days_apart(tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path, RULES)
    sent = [event("same", timestamp=FIRST + day * DAY, items=[{"id": f"sku-{day}"}]) for day in (0, 1, 9)]
    received, accounted_for = balance(pipeline.ingest(write(tmp_path / "raw", "a.gz", line(*sent, ingest_time=FIRST + 20 * DAY))))
    assert received == accounted_for == 3
    assert [row["item_id"] for row in pipeline.rows("item", "item_id")] == ["sku-0", "sku-9"]
