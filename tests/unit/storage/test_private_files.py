"""What other users of the machine can put in the way of a run, and what it leaves for them to read: neither is anything."""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streaming_app.backlog.source_partitions import due_partitions
from streaming_app.backlog.unprocessed import find_backlog
from streaming_app.cli import _exit_code
from streaming_app.environment import open_lake
from streaming_app.ingest.read.lines import BadPart, LineReader
from streaming_app.storage.any_objects import AnyObjects
from streaming_app.storage.files import Storage
from streaming_app.storage.private_files import create_private_file, private_directory
from tests.support.lake import config_for
from tests.support.raw import event, line, write

SOMEONE = 65_534
"""A user who is never the one of the tests."""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A /tmp that all may write to, in which the user's cache is, and a umask that gives all rights to all."""
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    before = os.umask(0)
    yield shared
    os.umask(before)


def is_private(path: Path) -> bool:
    status = path.lstat()
    return status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def others(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a directory of another user")
    path.mkdir(parents=True)
    os.chown(path, SOMEONE, SOMEONE)


def link_to_others(path: Path) -> None:
    elsewhere = path.parents[2] / "elsewhere"
    elsewhere.mkdir()
    path.parent.mkdir(parents=True)
    path.symlink_to(elsewhere)


def below_others(path: Path) -> None:
    others(path.parent)
    path.mkdir()


def open_to(mode: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.mkdir(parents=True)
        path.chmod(mode)

    return make


def below_open(path: Path) -> None:
    path.mkdir(parents=True)
    path.chmod(0o700)
    path.parent.chmod(0o777)


TAKEN: dict[str, Callable[[Path], None]] = {
    "another user's": others,
    "below another user's": below_others,
    "a link": link_to_others,
    "written by the group": open_to(0o770),
    "written by all": open_to(0o1777),
    "below one that all write to": below_open,
    "a file": lambda path: (path.parent.mkdir(parents=True), path.write_bytes(b""))[0],
}


@pytest.mark.parametrize("take", TAKEN.values(), ids=TAKEN)
def test_a_directory_that_others_reach_is_not_used(take: Callable[[Path], None], machine: Path) -> None:
    wanted = machine / "cache/clickstream/files"
    take(wanted)
    found = private_directory("files")
    assert found != wanted
    assert is_private(found)
    assert private_directory("files") == found


def test_a_directory_of_our_own_is_used_again(machine: Path) -> None:
    first = private_directory("files")
    first.chmod(0o755)
    assert first == private_directory("files") == machine / "cache/clickstream/files"
    assert all(map(is_private, (first, first.parent, first.parent.parent)))


def test_a_database_is_never_taken_from_others(machine: Path, tmp_path: Path) -> None:
    """They may know the name of the copy: here they have it from a run before."""
    packed = tmp_path / "geo.mmdb.gz"
    packed.write_bytes(gzip.compress(b"true"))
    copy = Storage().local_copy(str(packed))
    assert (copy.read_bytes(), is_private(copy), Storage().local_copy(str(packed)) == copy) == (b"true", True, True)
    copy.write_bytes(b"forged")
    private_directory("files").chmod(0o777)
    assert Storage().local_copy(str(packed)).read_bytes() == b"true"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_two_users_on_one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who name the same cache, below /tmp: neither reads or gets what is the other's."""
    with tempfile.TemporaryDirectory() as shared:
        Path(shared).chmod(0o1777)
        monkeypatch.setenv("XDG_CACHE_HOME", f"{shared}/cache")
        monkeypatch.setattr(tempfile, "tempdir", shared)
        packed = Path(shared, "geo.mmdb.gz")
        packed.write_bytes(gzip.compress(b"true"))
        copies = {}
        for user in (SOMEONE, SOMEONE - 1):
            with being(user):
                copies[user] = Storage().local_copy(str(packed))
                assert (copies[user].read_bytes(), is_private(copies[user])) == (b"true", True)
        for user in copies:
            with being(user), pytest.raises(PermissionError):
                [copies[other].read_bytes() for other in copies if other != user]


@contextmanager
def being(user: int) -> Iterator[None]:
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)


def test_copies_of_older_versions_go(machine: Path, tmp_path: Path) -> None:
    packed = tmp_path / "geo.mmdb.gz"
    for number in range(3):
        packed.write_bytes(gzip.compress(b"x" * (number + 1)))
        copy = Storage().local_copy(str(packed))
        os.utime(copy.parent, (0, 0))
    assert list(files_below(machine).values()) == [b"xxx"]


@pytest.mark.parametrize("there", ["a file", "a link", "a link to nothing"])
def test_a_private_file_is_a_new_one(there: str, tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "log"
    if there == "a file":
        path.write_bytes(b"theirs")
    else:
        path.symlink_to(target)
        if there == "a link":
            target.write_bytes(b"theirs")
    before = files_below(tmp_path)
    with pytest.raises(FileExistsError):
        create_private_file(path)
    assert files_below(tmp_path) == before


COMMAND = """
import os, subprocess, sys
from streaming_app.cli import main
from streaming_app.spark.jvm_log import jvm_log, jvm_output_to_log
for word in ("one", "two"):
    with jvm_output_to_log():
        subprocess.run(["echo", word])
found = jvm_log()
print(found, oct(found.lstat().st_mode), oct(found.parent.lstat().st_mode), found.read_text().split(), flush=True)
sys.argv[0] = "clickstream"
main()
"""


@pytest.mark.parametrize(("arguments", "code"), [(("plugins", "list"), 0), (("inspect", "no table"), 2)], ids=["good", "failed"])
def test_the_log_of_java(arguments: tuple[str, ...], code: int, machine: Path, tmp_path: Path) -> None:
    """Private while there is a run, gone after a good one, named after one that failed."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False
    )
    assert done.returncode == code, done.stderr
    path, mode = done.stdout.split(" ", 1)
    assert mode.startswith("0o100600 0o40700 ['one', 'two']")
    assert Path(path).is_relative_to(machine / "cache")
    assert Path(path).exists() == (str(path) in done.stderr) == (code != 0)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Raw files with links: within the source, and to what lies outside."""
    raw, outside = tmp_path / "raw", tmp_path / "outside"
    for folder in (raw / "year=2026/month=05", outside / "month=06"):
        folder.mkdir(parents=True)
        (folder / "a.gz").write_bytes(gzip.compress(line(event("a"))))
    (outside / "secret").write_bytes(b"root:secret\n")
    month = raw / "year=2026/month=05"
    (month / "inside").symlink_to("a.gz")
    (month / "out").symlink_to("../../../outside/secret")
    (month / "twice").symlink_to("out")
    (month / "folder").symlink_to(outside)
    (raw / "year=2026/month=06").symlink_to(outside / "month=06")
    (raw / "year=2025").symlink_to(outside)
    (raw / "stray").symlink_to(outside)
    return raw


LINKS = {
    "a.gz": True,
    "inside": True,
    "out": False,
    "twice": False,
    "folder/secret": False,
    "folder/../a.gz": True,
    "../month=06/a.gz": False,
}


@pytest.mark.parametrize(("name", "is_read"), LINKS.items(), ids=LINKS)
def test_a_link_that_leads_out_of_the_source_is_not_read(name: str, is_read: bool, source: Path, tmp_path: Path) -> None:
    storage = open_lake(config_for(tmp_path)).storage
    [(_, part)] = LineReader(storage, f"{source}/year=2026/month=05/{name}", 10_000)
    assert isinstance(part, bytes) == is_read
    if isinstance(part, BadPart):
        assert (part.reason, part.message) == ("unreadable_file", "file cannot be opened: is a link that leads out of the source")


def test_the_source_may_be_a_link_itself(source: Path, tmp_path: Path) -> None:
    config = config_for(tmp_path)
    linked = tmp_path / "linked"
    linked.symlink_to(source)
    config = config.model_copy(update={"source": config.source.model_copy(update={"uri": str(linked)})})
    [(number, _)] = LineReader(open_lake(config).storage, f"{linked}/year=2026/month=05/a.gz", 10_000)
    assert number == 1


def test_a_folder_outside_of_the_source_is_not_listed(source: Path, tmp_path: Path) -> None:
    """What lies in it is not even named."""
    config = config_for(tmp_path)
    backlogs = [find_backlog(source_partition, "*", AnyObjects()) for source_partition in due_partitions(config, AnyObjects())]
    refused = {uri.removeprefix(f"{source}/"): why for each in backlogs for uri, why in each.unreadable.items()}
    assert refused.keys() == {"year=2026/month=05/folder", "year=2026/month=06", "year=2025", "stray"}
    assert set(refused.values()) == {"this folder is a link that leads out of the source"}
    assert sum(each.files for each in backlogs) == len(refused) + 4
    given = {place.removeprefix(f"{source}/year=2026/") for each in backlogs for place in each.spark_paths}
    assert given == {f"month=05/{name}" for name in ("a.gz", "inside", "out", "twice")}


def test_explain_leaves_nothing_behind(machine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        f"project_id: t\nsource: {{uri: {tmp_path}/raw}}\nsink: {{uri: {tmp_path}/lake}}\n"
        "apps: {shop: {transformer: clickstream_sdk}}\n"
    )
    raw = write(tmp_path / "raw", "a.gz", line(event("a"), packed=True))
    before = files_below(tmp_path)
    for arguments in ((), ("--line", "1"), ("--json",)):
        assert _exit_code(["explain", str(raw), "-c", str(config), *arguments], debug=False) == 0
    assert files_below(tmp_path) == before
    assert "event 1" in capsys.readouterr().out
