"""Processes that find jars missing at the same time: one fetches for all, and nothing that is there in part is ever used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streaming_app.errors import MissingDependencyError
from streaming_app.spark.jars.folder import complete
from streaming_app.spark.jars.lock import Jar, faults, sha256_of
from tests.support.jar_mirror import JarMirror, jar_mirror

NEEDS = """
import logging, sys, msgspec
from streaming_app.errors import MissingDependencyError
from streaming_app.spark.jars.folder import complete
from streaming_app.spark.jars.lock import Jar
logging.basicConfig(level=logging.INFO, format="%(message)s")
print(*complete(msgspec.json.decode(sys.argv[1], type=tuple[Jar, ...]), checksums=True))
"""
"""What a session does before its JVM starts; with a list of three small jars."""


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[JarMirror]:
    files = {f"org.example:part-{each}_2.13:1.{each}": tmp_path / f"{each}.jar" for each in range(3)}
    for number, path in enumerate(files.values()):
        path.write_bytes(bytes([number]) * 100_000)
    with jar_mirror(tmp_path, files) as found:
        yield found


def listed(mirror: JarMirror) -> tuple[Jar, ...]:
    return tuple(Jar("delta", name, path.stat().st_size, sha256_of(path)) for name, path in mirror.files.items())


@pytest.fixture
def folder(tmp_path: Path, mirror: JarMirror, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLICKSTREAM_JARS", str(tmp_path / "a folder/jars"))
    monkeypatch.setenv("CLICKSTREAM_IVY_SETTINGS", str(mirror.settings))
    return tmp_path / "a folder/jars"


def started(jars: tuple[Jar, ...]) -> subprocess.Popen[str]:
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", NEEDS, msgspec.json.encode(jars).decode()], **pipes)


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def spoil(path: Path, case: str) -> None:
    """Leave in the folder what ``case`` says; the second jar is as it should be unless nothing is."""
    content = {"part": b"\0" * 10, "empty file": b"", "longer": b"\0" * 100_001, "damaged": b"\1" + b"\0" * 99_999}
    if case == "nothing":
        return
    path.parent.mkdir(parents=True)
    (path.parent / "org.example_part-1_2.13-1.1.jar").write_bytes(b"\1" * 100_000)
    if case == "a folder":
        path.mkdir()
    elif case == "of a killed process":
        (path.parent / ".fetching-x/files").mkdir(parents=True)
        (path.parent / ".fetching-x/files/half.jar").write_bytes(b"half")
    else:
        path.write_bytes(content[case])


@pytest.mark.parametrize("case", ["nothing", "part", "empty file", "longer", "damaged", "of a killed process"])
def test_two_at_once(case: str, mirror: JarMirror, folder: Path) -> None:
    jars = listed(mirror)
    spoil(folder / jars[0].file_name, case)
    there = sorted(jar.coordinates for jar in jars if not faults([jar], folder, checksums=True))
    both = [started(jars), started(jars)]
    paths = " ".join(str(folder / jar.file_name) for jar in jars)
    assert [ended(each) for each in both] == [f"{paths}\n"] * 2
    assert faults(jars, folder, checksums=True) == {}
    names = {
        f"{artifact}-{version}.jar" for name in mirror.files if name not in there for _, artifact, version in [name.split(":")]
    }
    assert mirror.fetched == dict.fromkeys(names, 1)
    assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == sorted(jar.file_name for jar in jars)


def test_one_is_killed_and_the_other_takes_over(mirror: JarMirror, folder: Path) -> None:
    jars = listed(mirror)
    mirror.open.clear()
    first = started(jars)
    assert mirror.begun.wait(timeout=60)
    second = started(jars)
    assert second.stderr
    assert "waiting for it" in second.stderr.readline()
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    mirror.open.set()
    ended(second)
    assert faults(jars, folder, checksums=True) == {}


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("not there", "module not found: org.example#part-0_2.13;1.0"),
        ("other content", "org.example:part-0_2.13:1.0 has another content than the locked one"),
        ("cut short", "org.example:part-0_2.13:1.0 has 99 bytes, not 100,000"),
        ("no server", "(java.net.ConnectException: Connection refused)"),
        ("no folder", "Not a directory"),
        ("no settings", "nowhere.xml"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_line(
    case: str, says: str, mirror: JarMirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jars = listed(mirror)
    [name, *_] = mirror.files
    if case == "not there":
        del mirror.files[name]
    elif case in {"other content", "cut short"}:
        mirror.files[name].write_bytes(b"x" * (100_000 if case == "other content" else 99))
    elif case == "no server":
        mirror.settings.write_text(mirror.settings.read_text().replace('root="http://127.0.0.1:', 'root="http://127.0.0.1:9/'))
    elif case == "no folder":
        monkeypatch.setenv("CLICKSTREAM_JARS", str(mirror.settings / "jars"))
        folder = mirror.settings / "jars"
    else:
        monkeypatch.setenv("CLICKSTREAM_IVY_SETTINGS", "/nowhere.xml")
    with pytest.raises(MissingDependencyError) as problem:
        complete(jars)
    said = str(problem.value)
    assert f"jars are missing in {folder}: org.example_part-0_2.13-1.0.jar is not there" in said
    assert says in said
    assert "\n" not in said
    assert "CLICKSTREAM_IVY_SETTINGS" in problem.value.hint
    assert (
        not folder.exists() or [path.name for path in folder.iterdir() if path.suffix == ".jar" and "part-0" in path.name] == []
    )
