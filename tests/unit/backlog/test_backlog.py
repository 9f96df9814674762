"""What is unprocessed: windows of the source, what a checkpoint says, and whether derive is behind. No Spark runs here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streaming_app.backlog.derive_log import MANY_COMMITS, derive_is_behind
from streaming_app.backlog.file_log import committed_files
from streaming_app.backlog.source_partitions import MAX_UNPARTITIONED, due_partitions, is_visible, mark_uri
from streaming_app.backlog.unprocessed import MAX_DIRECTORIES, Backlog, find_backlog
from streaming_app.config.model import Config, WindowsSection
from streaming_app.errors import SourceError
from streaming_app.storage.any_objects import AnyObjects
from tests.support.lake import config_for

OBJECTS = AnyObjects()


def files(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 10)


def config(folder: Path, **windows: Any) -> Config:
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    made = config_for(folder)
    return made.model_copy(update={"source": made.source.model_copy(update={"windows": WindowsSection(**windows)})})


def due(folder: Path, **windows: Any) -> dict[str, list[str]]:
    """Windows by name, each with what it consists of."""
    found = due_partitions(config(folder, **windows), OBJECTS)
    return {each.name: [root.uri.removeprefix(f"{folder}/raw") for root in each.roots] for each in found}


def read_to_its_end(folder: Path, *names: str) -> None:
    for source_partition in due_partitions(config(folder), OBJECTS):
        if source_partition.name in names:
            mark = Path(mark_uri(config(folder), source_partition))
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()


MAY, JUNE, JULY, AUGUST = (f"year=2026/month=0{number}" for number in (5, 6, 7, 8))
MONTHS = tuple(f"{month}/day=01/hour=00/a.gz" for month in (MAY, JUNE, JULY, AUGUST))

LAYOUTS: list[tuple[str, dict[str, Any], tuple[str, ...], dict[str, list[str]]]] = [
    ("empty", {}, (), {"rest": [""]}),
    ("no dated folders", {}, ("a.gz", "web/b.gz"), {"rest": [""]}),
    ("months", {}, MONTHS[:2], {"2026-05": [f"/{MAY}"], "2026-06": [f"/{JUNE}"]}),
    ("never read, so older ones too", {"look_back": 0}, MONTHS, {f"2026-0{n}": [f"/year=2026/month=0{n}"] for n in (5, 6, 7, 8)}),
    ("strays", {}, ("a.gz", "web/b.gz", "year=2026/c.gz", MONTHS[0]), {"2026-05": [f"/{MAY}"], "rest": ["/a.gz", "/web", "/year=2026/c.gz"]}),
    ("hidden strays", {}, ("_SUCCESS", ".tmp/a.gz", MONTHS[0]), {"2026-05": [f"/{MAY}"]}),
    ("a month written twice", {}, ("year=2026/month=5/a.gz", MONTHS[0]), {"2026-05": [f"/{MAY}", "/year=2026/month=5"]}),
    ("a file called like a month", {}, ("year=2026/month=05", MONTHS[1]), {"2026-06": [f"/{JUNE}"], "rest": [f"/{MAY}"]}),
    ("other dates", {}, ("dt=2026-05-01/a.gz",), {"rest": [""]}),
    ("days", {"by": "day"}, MONTHS[:1], {"2026-05-01": [f"/{MAY}/day=01"]}),
    ("days and a file beside them", {"by": "day"}, (MONTHS[0], f"{MAY}/b.gz"), {"2026-05-01": [f"/{MAY}/day=01"], "rest": [f"/{MAY}/b.gz"]}),
    ("not split", {"by": "none"}, MONTHS, {"all": [""]}),
]  # fmt: skip


@pytest.mark.parametrize(("windows", "names", "expected"), [row[1:] for row in LAYOUTS], ids=[row[0] for row in LAYOUTS])
def test_windows(windows: dict[str, Any], names: tuple[str, ...], expected: dict[str, list[str]], tmp_path: Path) -> None:
    files(tmp_path, *names)
    assert {name: sorted(roots) for name, roots in due(tmp_path, **windows).items()} == expected


@pytest.mark.parametrize(
    ("done", "look_back", "expected"),
    [
        (("2026-05", "2026-06", "2026-07", "2026-08"), 0, ["2026-08"]),
        (("2026-05", "2026-06", "2026-07", "2026-08"), 1, ["2026-07", "2026-08"]),
        (("2026-06", "2026-07"), 1, ["2026-05", "2026-07", "2026-08"]),  # a backlog that was interrupted in its first month
        (("2026-05", "2026-06", "2026-07", "2026-08"), 12, ["2026-05", "2026-06", "2026-07", "2026-08"]),
    ],
)
def test_windows_that_were_read_are_looked_into_again_for_a_while(
    done: tuple[str, ...], look_back: int, expected: list[str], tmp_path: Path
) -> None:
    files(tmp_path, *MONTHS)
    read_to_its_end(tmp_path, *done)
    assert list(due(tmp_path, look_back=look_back)) == expected


def test_what_lies_in_no_dated_folder_is_always_looked_into(tmp_path: Path) -> None:
    files(tmp_path, "a.gz", *MONTHS)
    read_to_its_end(tmp_path, "rest", "2026-05", "2026-06", "2026-07")
    assert list(due(tmp_path, look_back=0)) == ["2026-08", "rest"]


@pytest.mark.parametrize(("before", "after"), [("2026-05", "none"), ("2026-05", "day"), ("all", "month"), ("commits", "month")])
def test_another_size_of_windows_is_refused(before: str, after: str, tmp_path: Path) -> None:
    files(tmp_path, MONTHS[0])
    (tmp_path / "lake/_checkpoints/ingest" / before).mkdir(parents=True)
    with pytest.raises(SourceError, match=f"was not split by {after}"):
        due(tmp_path, by=after)


def test_very_many_strays_are_refused(tmp_path: Path) -> None:
    files(tmp_path, MONTHS[0], *(f"{number}.gz" for number in range(MAX_UNPARTITIONED + 1)))
    with pytest.raises(SourceError, match="lie beside the dated ones, such as 0"):
        due(tmp_path)


@pytest.mark.parametrize(
    ("name", "visible"),
    [("a.gz", True), ("_a.gz", False), (".a", False), ("_a=b", True), ("a._COPYING_", False), ("_metadata", True), ("", False)],
)
def test_names_that_spark_reads(name: str, visible: bool) -> None:
    assert is_visible(name) is visible


class Checkpoint:
    """A checkpoint of Spark's file source, written by hand."""

    def __init__(self, folder: Path, name: str = "2026-05") -> None:
        self.folder, self.raw = folder / "lake/_checkpoints/ingest" / name, folder / "raw"

    def log(self, file: str, *entries: tuple[str, int]) -> None:
        lines = [json.dumps({"path": f"file://{self.raw}/{name}", "timestamp": 1, "batchId": batch}) for name, batch in entries]
        self._write(f"sources/0/{file}", "v1", *lines)

    def plan(self, batch: int, log_offset: int) -> None:
        self._write(f"offsets/{batch}", "v1", "{}", json.dumps({"logOffset": log_offset}))

    def commit(self, batch: int) -> None:
        self._write(f"commits/{batch}", "v1", "{}")

    def _write(self, name: str, *lines: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines))


def committed(checkpoint: Checkpoint) -> set[str]:
    return {uri.removeprefix(f"{checkpoint.raw}/") for uri in committed_files(OBJECTS, str(checkpoint.folder))}


def test_nothing_is_committed_before_the_first_commit(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    assert committed(checkpoint) == set()
    checkpoint.log("0", ("a", 0))
    checkpoint.plan(0, 0)
    assert committed(checkpoint) == set()
    checkpoint.commit(0)
    assert committed(checkpoint) == {"a"}


def test_the_log_of_the_source_counts_its_own_batches(tmp_path: Path) -> None:
    """A query that dies between the source's log and its own leaves a number behind: batch 1 is then entries 1 and 2."""
    checkpoint = Checkpoint(tmp_path)
    for number, name in enumerate("abcd"):
        checkpoint.log(str(number), (name, number))
    checkpoint.plan(0, 0)
    checkpoint.plan(1, 2)
    checkpoint.commit(0)
    checkpoint.commit(1)
    checkpoint.plan(2, 3)
    assert committed(checkpoint) == {"a", "b", "c"}


def test_a_compact_file_stands_for_all_before_it(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.log("8", ("old, and gone from the source's list", 8))
    checkpoint.log("9.compact", ("a", 0), ("b%20c", 9))
    checkpoint.log("10", ("d", 10))
    checkpoint.log(".11.tmp", ("no", 11))
    checkpoint.plan(10, 10)
    checkpoint.commit(10)
    assert committed(checkpoint) == {"a", "b c", "d"}
    checkpoint.log("19.compact", ("a", 0), ("b%20c", 9), ("d", 10), ("planned only", 19))
    assert committed(checkpoint) == {"a", "b c", "d"}


def backlog(folder: Path, glob: str = "*", **stop: float) -> Backlog:
    [source_partition] = due_partitions(config(folder), OBJECTS)
    return find_backlog(source_partition, glob, OBJECTS, **stop)


def test_unprocessed_files_and_where_they_lie(tmp_path: Path) -> None:
    files(tmp_path, *(f"{MAY}/day=0{day}/{name}.gz" for day in (1, 2) for name in "ab"), f"{MAY}/day=01/_c.gz", f"{MAY}/_t/d.gz")
    checkpoint = Checkpoint(tmp_path)
    checkpoint.log("0", (f"{MAY}/day=01/a.gz", 0), (f"{MAY}/day=01/b.gz", 0))
    first = backlog(tmp_path)
    assert (first.files, first.bytes, first.unfinished, bool(first)) == (4, 40, False, True)
    checkpoint.plan(0, 0)
    assert backlog(tmp_path).unfinished
    checkpoint.commit(0)
    second = backlog(tmp_path)
    assert (second.files, second.unfinished, second.directories) == (2, False, {f"{tmp_path}/raw/{MAY}/day=02"})
    assert second.digest not in (0, first.digest)
    assert second.digest == backlog(tmp_path).digest


@pytest.mark.parametrize(("glob", "count"), [("*", 3), ("*.gz", 2), ("{a,c}.*", 2), ("[ab].gz", 2), ("?.GZ", 0), ("*.txt", 1)])
def test_the_glob_is_hadoops(glob: str, count: int, tmp_path: Path) -> None:
    files(tmp_path, f"{MAY}/a.gz", f"{MAY}/b.gz", f"{MAY}/c.txt")
    assert backlog(tmp_path, glob).files == count


def test_counting_stops_when_it_is_enough(tmp_path: Path) -> None:
    files(tmp_path, *(f"{MAY}/{number}.gz" for number in range(20)))
    stopped = backlog(tmp_path, enough_bytes=50)
    assert (stopped.files, stopped.complete) == (5, False)
    assert backlog(tmp_path, enough_bytes=1_000).complete


def test_places_are_bounded(tmp_path: Path) -> None:
    files(tmp_path, *(f"{MAY}/{number}/a.gz" for number in range(MAX_DIRECTORIES + 50)))
    found = backlog(tmp_path)
    assert (found.files, len(found.directories)) == (MAX_DIRECTORIES + 50, MAX_DIRECTORIES + 1)


class Derive:
    """A checkpoint of the derive query and the logs of its two tables, written by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, config(folder)
        self.commit("event", 0, {"metaData": {}})
        self.commit("change", 0, {"metaData": {}})

    def commit(self, table: str, version: int, *actions: dict[str, Any]) -> None:
        self._write(f"lake/{table}/_delta_log/{version:020}.json", *map(json.dumps, actions))

    def stands(self, batch: int, *places: tuple[int, int], done: bool = True) -> None:
        offsets = [json.dumps({"reservoirVersion": version, "index": index}) for version, index in places]
        self._write(f"lake/_checkpoints/derive/offsets/{batch}", "v1", "{}", *offsets)
        if done:
            self._write(f"lake/_checkpoints/derive/commits/{batch}", "v1")

    def note(self) -> None:
        self._write("lake/_checkpoints/stale_users/x-1.json", "[]")

    @property
    def is_behind(self) -> bool:
        return derive_is_behind(self.config, OBJECTS)

    def _write(self, name: str, *lines: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines))


ROWS = {"add": {"dataChange": True}}
END = (1 << 63) - 101


def test_derive_is_behind_when_rows_came_that_it_has_not_read(tmp_path: Path) -> None:
    derive = Derive(tmp_path)
    assert not derive.is_behind
    derive.commit("event", 1, ROWS)
    assert derive.is_behind
    derive.stands(0, (2, -1), (1, -1), done=False)
    assert derive.is_behind
    derive.stands(0, (2, -1), (1, -1))
    assert not derive.is_behind
    derive.commit("change", 1, ROWS)
    assert derive.is_behind
    derive.stands(1, (2, -1), (1, END))
    assert not derive.is_behind
    derive.stands(2, (2, 0), (2, -1))
    assert derive.is_behind  # a part of version 2 is read


@pytest.mark.parametrize(
    ("actions", "behind"),
    [
        ([ROWS], True),
        ([{"add": {}}], True),
        ([{"add": {"dataChange": False}}, {"remove": {"dataChange": False}}], False),  # a compaction
        ([ROWS, {"remove": {"dataChange": False}}], True),  # new rows and a better duplicate
        ([ROWS, {"remove": {"dataChange": True}}], False),  # an erasure: the stream skips it
        ([{"metaData": {}}], False),
    ],
)
def test_commits_that_are_news(actions: list[dict[str, Any]], behind: bool, tmp_path: Path) -> None:
    derive = Derive(tmp_path)
    derive.stands(0, (1, -1), (1, -1))
    derive.commit("event", 1, *actions)
    assert derive.is_behind is behind


def test_derive_is_behind_when_it_cannot_be_told(tmp_path: Path) -> None:
    derive = Derive(tmp_path)
    derive.stands(0, (1, -1), (1, -1))
    derive.commit("event", 7)
    assert derive.is_behind  # versions 1 to 6 are cleaned away
    derive.stands(1, (8, -1), (1, -1))
    assert not derive.is_behind
    for version in range(8, 9 + MANY_COMMITS):
        derive.commit("event", version)
    assert derive.is_behind


def test_derive_is_behind_while_users_wait_for_their_rebuild(tmp_path: Path) -> None:
    derive = Derive(tmp_path)
    derive.stands(0, (1, -1), (1, -1))
    derive.note()
    assert derive.is_behind
