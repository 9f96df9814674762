"""Which files Spark can be given, by which place; what is set aside in place of the others is asked for once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from streaming_app.backlog.set_aside import MAX_RECORDED, format_record, record_uri, set_aside_files
from streaming_app.backlog.source_partitions import SourcePartition, due_partitions
from streaming_app.backlog.unprocessed import MAX_DIRECTORIES, MAX_UNREADABLE_NAMES, Backlog, find_backlog, still_unread
from streaming_app.errors import SourceError
from streaming_app.spark.raw_file_stream import _escape_glob, _escape_in_braces, _hadoop_glob
from streaming_app.storage.any_objects import AnyObjects
from streaming_app.storage.objects import ObjectInfo
from tests.support.lake import config_for


@dataclass
class Listing:
    """Objects that only their listing knows."""

    uris: list[str]

    def list_directory(self, folder: str) -> Iterator[ObjectInfo]:
        yield from ()

    def files(self, folder: str) -> Iterator[ObjectInfo]:
        return (ObjectInfo(uri, 10, 1.0) for uri in self.uris if uri.startswith(f"{folder}/"))

    def lines(self, uri: str) -> Iterator[str]:
        raise FileNotFoundError(uri)


ROOT = "s3://b/raw"


def backlog(*names: str, roots: tuple[ObjectInfo, ...] = (ObjectInfo(f"{ROOT}/m", is_folder=True),), root: str = ROOT) -> Backlog:
    return find_backlog(
        SourcePartition("m", roots, "/nowhere", fully_read=False), "*", Listing([f"{root}/{name}" for name in names])
    )


STRAY = ObjectInfo(f"{ROOT}/x:y", is_folder=True)
CASES: dict[str, tuple[Backlog, set[str], set[str]]] = {
    "plain": (backlog("m/a", "m/d/b"), {"m", "m/d"}, set()),
    "a colon in a file's name": (backlog("m/a:b", "m/d/12:30.gz"), {"m", "m/d"}, set()),
    "a colon in a folder's name": (backlog("m/d/12:30/e/a"), {"m/d"}, set()),
    "a stray with a colon": (backlog("x:y/a", roots=(STRAY,)), set(), {"x:y/a"}),
    "a stray file with a colon": (backlog(roots=(ObjectInfo(f"{ROOT}/x:y"),)), set(), {"x:y"}),
    "empty part": (backlog("m//a", "m/b"), {"m"}, {"m//a"}),
    "the folder above": (backlog("m/d/../a", "m/d/b", "m/c", "m/e/f"), {"m/d/b", "m/c", "m/e"}, {"m/d/../a"}),
    "this folder": (backlog("m/d/./a", "m/d/b"), {"m/d"}, {"m/d/./a"}),
    "no XML": (backlog("m/d/\x01", "m/d/b", "m/c", "m/d/e/f"), {"m/d/b", "m/c", "m/d/e"}, {"m/d/\x01"}),
    "no XML in a folder's name": (backlog("m/\ufffe/a", "m/b", "m/d/c"), {"m/b", "m/d"}, {"m/\ufffe/a"}),
    "a hidden name that is in the way": (backlog("m/d/_\x02", "m/d/b"), {"m/d/b"}, {"m/d/_\x02"}),
    "XML": (backlog("m/\t\n\r\x7f\x85\U0001f600"), {"m"}, set()),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_places(case: str) -> None:
    found, places, odd = CASES[case]
    assert {place.removeprefix(f"{ROOT}/") for place in found.spark_paths if found.directories} == places
    assert {uri.removeprefix(f"{ROOT}/") for uri in found.unreadable} == odd
    assert found.files == len(found.unread) + len(odd)


@pytest.mark.parametrize(
    ("names", "where"),
    [
        (("m/a",), r"s3://b/raw/{m/}"),
        (("m/d/a", "m/e/a"), r"s3://b/raw/{m/d/,m/e/}"),
        (("m/d{1},*/a",), r"s3://b/raw/{m/d\\\{1\\\}\\\,\\*/}"),
        (("m/d\\1/a",), r"s3://b/raw/{m/d\\\\1/}"),
    ],
)
def test_what_spark_is_given(names: tuple[str, ...], where: str) -> None:
    assert _hadoop_glob(ROOT, backlog(*names).spark_paths) == where


def test_no_folder_that_spark_cannot_list_is_given() -> None:
    """Not the window either, where there are very many folders: the rest of them come in the next round."""
    found = backlog("m/../a", *(f"m/{number:03}/a" for number in range(MAX_DIRECTORIES + 9)))
    assert len(found.spark_paths) == MAX_DIRECTORIES
    assert found.is_part
    assert f"{ROOT}/m" not in found.spark_paths
    assert _hadoop_glob(ROOT, backlog("m/../a").spark_paths).endswith("raw/{_/_/}")


def test_a_literal_is_one_in_braces_too() -> None:
    assert (_escape_glob(r"a{1}\[x,"), _escape_in_braces(r"a{1}[,")) == (r"a\{1\}\\\[x\,", r"a\\\{1\\\}\\[\\\,")


@pytest.mark.parametrize("uri", ["s3://b/raw:1", "s3://b/raw//x", "s3://b/../raw", "/data/12:30/raw"])
def test_a_source_that_spark_cannot_be_given_is_one_error(uri: str, tmp_path: Path) -> None:
    config = config_for(tmp_path)
    config = config.model_copy(update={"source": config.source.model_copy(update={"uri": uri})})
    with pytest.raises(SourceError, match="Spark cannot be given this folder"):
        due_partitions(config, AnyObjects())


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "raw" / name).write_bytes(b"x")


def test_what_was_set_aside_is_no_work(tmp_path: Path) -> None:
    put(tmp_path, "year=2026/month=05/a.gz", "x:y/b.gz", "c.gz")
    windows = {each.name: each for each in due_partitions(config_for(tmp_path), AnyObjects())}
    rest = windows["rest"]
    first = find_backlog(rest, "*", AnyObjects())
    assert (first.files, set(first.unreadable)) == (2, {f"{tmp_path}/raw/x:y/b.gz"})
    Path(rest.checkpoint).mkdir(parents=True)
    Path(record_uri(rest)).write_text(format_record([], first.unreadable))
    again = find_backlog(rest, "*", AnyObjects())
    assert (again.files, again.unreadable, again.digest != first.digest) == (1, {}, True)
    put(tmp_path, "x:y/new\nline.gz")
    assert set(find_backlog(rest, "*", AnyObjects()).unreadable) == {f"{tmp_path}/raw/x:y/new\nline.gz"}


def test_the_record_is_bounded(tmp_path: Path) -> None:
    source_partition = SourcePartition("m", (), str(tmp_path), fully_read=False)
    Path(record_uri(source_partition)).write_text(format_record(map(str, range(MAX_RECORDED)), ["new\nline"]))
    found = list(set_aside_files(AnyObjects(), source_partition))
    assert (len(found), found[0], found[-1]) == (MAX_RECORDED, "1", "new\nline")


def test_very_many_are_set_aside_a_part_at_a_time() -> None:
    found = backlog(*(f"x:y/{number}" for number in range(MAX_UNREADABLE_NAMES + 9)), roots=(STRAY,))
    assert (len(found.unreadable), found.files, found.is_part) == (MAX_UNREADABLE_NAMES, MAX_UNREADABLE_NAMES, True)


def test_links_and_folders_of_this_machine(tmp_path: Path) -> None:
    month = tmp_path / "raw/year=2026/month=05"
    put(tmp_path, "year=2026/month=05/d/a.gz", "year=2026/month=05/e/b.gz")
    (month / "dangling").symlink_to("nowhere")
    (month / "itself").symlink_to("itself")
    (month / "d/up").symlink_to(month)
    (month / "d/here").symlink_to(month / "d")
    [source_partition] = due_partitions(config_for(tmp_path), AnyObjects())
    found = find_backlog(source_partition, "*", AnyObjects())
    assert {Path(uri).name for uri in found.unreadable} == {"dangling", "itself", "up", "here"}
    assert {str(Path(place).relative_to(month)) for place in found.spark_paths} == {"d/a.gz", "e"}
    assert {Path(uri).name for uri in still_unread(found, "*", AnyObjects())} == {"a.gz", "b.gz"}
