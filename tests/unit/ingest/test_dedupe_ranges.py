"""The same duplicates are found in any number of ranges and tasks, and whatever has happened to the index files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark import cloudpickle

from streaming_app.ingest.commit import deduplicate
from streaming_app.ingest.commit.task_runner import TaskRunner
from streaming_app.lake import id_index
from streaming_app.lake.lake import live_files
from streaming_app.model.tables import EVENT
from tests.support.examples import costly
from tests.support.lake import LocalPipeline, balance
from tests.support.raw import NOW, event, line, write

DAY = 86_400_000
FIRST = NOW // DAY * DAY + 1_000
RULES = "  blog: {transformer: clickstream_sdk}\nrules: {freshness_hours: 9000, clock_correction: false}\n"

U = TypeVar("U")
R = TypeVar("R")


@dataclass(frozen=True)
class Shuffled(TaskRunner):
    """Groups units at random; each group reaches its task as Spark sends it, pickled, and results come in any order."""

    random: Random = Random(0)  # noqa: RUF009

    def run(
        self, units: Sequence[U], seconds: Callable[[U], float], work: Callable[[list[U]], Iterable[bytes]]
    ) -> Iterable[bytes]:
        assert all(seconds(unit) >= 0 for unit in units)
        found = [message for group in self.groups(units) for message in sent((work, group))]
        return self.random.sample(found, len(found))

    def exchange(
        self,
        units: Sequence[U],
        seconds: Callable[[U], float],
        read: Callable[[int, list[U]], Iterable[tuple[int, bytes]]],
        combine: Callable[[int, list[bytes]], bytes],
    ) -> list[bytes]:
        assert all(seconds(unit) >= 0 for unit in units)
        count = self.random.randint(1, 5)
        found = [each for group in self.groups(units) for each in sent((partial(read, count), group))]
        shuffled = self.random.sample(found, len(found))
        return [combine(part, [message for number, message in shuffled if number == part]) for part in range(count)]

    def groups(self, units: Sequence[U]) -> Iterable[list[U]]:
        left = self.random.sample(units, len(units))
        while left:
            size = self.random.randint(1, len(left))
            yield left[:size]
            left = left[size:]


def sent(task: tuple[Callable[[list[U]], Iterable[R]], list[U]]) -> Iterable[R]:
    """The results of a task that gets its function and its units as Spark sends them."""
    work, units = cloudpickle.loads(cloudpickle.dumps(task))
    return list(work(units))


Copy = tuple[str, int, int, int]
"""App, number of the id, day and second of the day."""

COPIES = st.lists(
    st.tuples(st.sampled_from(["shop", "blog"]), st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)),
    min_size=1,
    max_size=12,
    unique=True,
)


def batches_of(data: st.DataObject, copies: list[Copy]) -> list[list[list[Copy]]]:
    """Batches of files of copies."""
    batches: list[list[list[Copy]]] = [[[]]]
    for copy in data.draw(st.permutations(copies)):
        cut = data.draw(st.sampled_from(["none", "file", "batch"]))
        if cut == "batch":
            batches.append([[]])
        elif cut == "file":
            batches[-1].append([])
        batches[-1][-1].append(copy)
    return batches


def ingest(pipeline: LocalPipeline, number: int, files: list[list[Copy]]) -> None:
    paths = []
    for at, copies in enumerate(files):
        requests = [
            line(
                event(f"id-{id_}", app_id=app, timestamp=FIRST + day * DAY + second * 1_000, items=[{"id": f"{day}-{second}"}]),
                rid=f"r-{app}-{id_}-{day}-{second}",
                ingest_time=FIRST + 60 * DAY,
                client_timestamp=None,
            )
            for app, id_, day, second in copies
        ]
        paths.append(write(pipeline.folder / "raw", f"{number}-{at}.gz", *requests))
    received, accounted_for = balance(pipeline.ingest(*paths, tasks=max(1, len(paths))))
    assert received == accounted_for


def damage(folder: Path, random: Random) -> None:
    for file in sorted(folder.rglob(f"*{id_index.SUFFIX}")):
        content = file.read_bytes()
        match random.randint(0, 4):
            case 0:
                file.unlink()
            case 1:
                file.write_bytes(content[: random.randint(0, len(content) - 1)])
            case 2:
                file.write_bytes(bytes(len(content)))
            case 3:  # no hash is wrong, but the rows are
                rows = max(0, len(content) - 16) // 12
                file.write_bytes(content[: 16 + 8 * rows] + bytes(4 * rows))


@costly(8)
@given(copies=COPIES, ranges=st.integers(1, 9), seed=st.integers(0, 2**32), data=st.data())
def test_any_number_of_ranges_and_tasks_finds_the_same(
    copies: list[Copy], ranges: int, seed: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    random = Random(seed)
    whole, parts = (LocalPipeline(tmp_path_factory.mktemp(name), RULES) for name in ("whole", "parts"))
    ingest(whole, 0, [copies])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_index, "MIN_ROWS", 1)
        patch.setattr(deduplicate, "RANGE_HASHES", 10 // ranges)
        patch.setattr(deduplicate, "SMALL_SECONDS", random.choice([0.0, 1.0]))
        parts.runner = Shuffled(random=random)
        for number, files in enumerate(batches_of(data, copies)):
            ingest(parts, number, files)
            damage(parts.folder, random)
    for table in ("event", "item"):
        order = "app_id, event_timestamp, event_id"
        assert [kept(row) for row in whole.rows(table, order)] == [kept(row) for row in parts.rows(table, order)]


def kept(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "ingest_time_msec"}


def test_index_files_are_written_with_their_data_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_index, "MIN_ROWS", 2)
    pipeline = LocalPipeline(tmp_path)
    sent = [event(f"e-{number}") for number in range(3)]
    pipeline.ingest(write(tmp_path / "raw", "a.gz", *(line(each, rid=f"r-{at}") for at, each in enumerate(sent))))
    folder = tmp_path / "lake/event"
    data = {str(path.relative_to(folder)) for path in folder.rglob("*.parquet") if "_delta_log" not in path.parts}
    assert {id_index.data_path(str(path.relative_to(folder))) for path in (folder / "_ids").rglob("*.ids")} == data
    # A better duplicate replaces one of the rows: the file that is left has an index file too.
    better = line(event("e-0", timestamp=NOW - 5_000), rid="r-9", ingest_time=NOW - 5_000)
    pipeline.ingest(write(tmp_path / "raw", "b.gz", better))
    live = {file.path for file in live_files(pipeline.lake.open(EVENT))}
    indexed = {id_index.data_path(str(path.relative_to(folder))) for path in (folder / "_ids").rglob("*.ids")}
    assert len(indexed & live) == 1
    assert len(pipeline.rows("event")) == 3


def test_an_index_file_that_names_other_rows_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_index, "MIN_ROWS", 2)
    pipeline = LocalPipeline(tmp_path)
    sent = [event(f"e-{number}") for number in range(10)]
    pipeline.ingest(write(tmp_path / "raw", "a.gz", *(line(each, rid=f"r-{at}") for at, each in enumerate(sent))))
    [file] = (tmp_path / "lake/event/_ids").rglob("*.ids")
    whole = file.read_bytes()
    file.write_bytes(whole[: 16 + 8 * len(sent)] + bytes(4 * len(sent)))
    pipeline.ingest(write(tmp_path / "raw", "b.gz", line(event("e-5"), rid="r-99")))
    assert len(pipeline.rows("event")) == len(sent)
    assert file.read_bytes() == whole
