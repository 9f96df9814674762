"""The lines of a raw file, whatever it is made of; reading it costs what its size says."""

from __future__ import annotations

import gzip
import os
import random
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_app.errors import StorageError
from streaming_app.ingest.read import lines as lines_module
from streaming_app.ingest.read.decompress import blocks_of
from streaming_app.ingest.read.lines import BadPart, LineReader
from streaming_app.storage.files import Storage

MANY = 3 << 20
"""More than is read at once."""
LIMIT = 1_000_000

CASES: dict[str, tuple[bytes, list[bytes | str]]] = {
    "plain": (b"a\nb", [b"a", b"b"]),
    "windows": (b"a\r\nb\r\n\r\n", [b"a\r", b"b\r"]),
    "byte order mark": (b"\xef\xbb\xbfa\nb", [b"a", b"b"]),
    "ends in zeros": (b"a\nb" + bytes(MANY), [b"a", b"b"]),
    "begins with zeros": (bytes(MANY) + b"a\nb", [b"a", b"b"]),
    "zeros between": (b"a\n" + bytes(MANY) + b"\nb\n", [b"a", b"b"]),
    "zeros within stay": (b"a\0b\n", [b"a\0b"]),
    "nothing but zeros": (bytes(MANY), []),
    "members": (gzip.compress(b"a\nb") + gzip.compress(b"c\nd"), [b"a", b"bc", b"d"]),
    "padded members": (gzip.compress(b"a\n") + bytes(MANY) + gzip.compress(b"b\n") + bytes(7), [b"a", b"b"]),
    "zeros before members": (bytes(9) + gzip.compress(b"a\n") + gzip.compress(b"b\n"), [b"a", b"b"]),
    "very many zeros before members": (bytes(MANY) + gzip.compress(b"a\n") + bytes(MANY) + gzip.compress(b"b"), [b"a", b"b"]),
    "zeros at the end of a block": (bytes(MANY - 1) + gzip.compress(b"a\n"), [b"a"]),
    "empty members": (gzip.compress(b"") * 1_000 + gzip.compress(b"a"), [b"a"]),
    "cut short": (gzip.compress(b"a\nb")[:-3], [b"a", b"b", "file is broken after this line: the gzip stream is cut short"]),
    "a second member cut short": (gzip.compress(b"a\n") + gzip.compress(b"b\n")[:-9], [b"a", b"b", "file is broken"]),
    "a bomb of zeros": (gzip.compress(bytes(50 * MANY)), []),
    "too long": (b"x" * MANY + b"\na\nb", [f"line longer than {LIMIT} bytes", b"a", b"b"]),
    "too long, and lines in the same block": (
        b"x" * MANY + b"\n" + b"a\n" * 3 + b"y" * 2 * LIMIT + b"\nz",
        [f"line longer than {LIMIT} bytes", b"a", b"a", b"a", f"line longer than {LIMIT} bytes", b"z"],
    ),
    "too long to its end": (b"a\n" + b"x" * MANY, [b"a", f"line longer than {LIMIT} bytes"]),
}


def lines(path: Path, limit: int = LIMIT) -> list[bytes | str]:
    """Of what is no line, the message."""
    reader = LineReader(Storage(), str(path), limit)
    return [line.message if isinstance(line, BadPart) else line for _, line in reader]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_lines(case: str, tmp_path: Path) -> None:
    content, expected = CASES[case]
    (tmp_path / "a").write_bytes(content)
    found = lines(tmp_path / "a")
    assert len(found) == len(expected)
    for line, wanted in zip(found, expected, strict=True):
        assert line == wanted or (isinstance(wanted, str) and isinstance(line, str) and line.startswith(wanted))


@given(
    text=st.lists(st.binary(max_size=9).map(lambda b: b.replace(b"\0", b"\1").replace(b"\xef", b"\1")), max_size=20).map(
        b"\n".join
    ),
    cuts=st.lists(st.integers(0, 200), max_size=9),
)
def test_any_members_and_blocks_make_the_same_lines(
    text: bytes, cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However the content is dealt to gzip members; a line's number is its place in the whole."""
    bounds = sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)})
    parts = [text[start:end] for start, end in pairwise(bounds)] or [b""]
    path = tmp_path_factory.mktemp("members") / "a"
    path.write_bytes(b"".join(map(gzip.compress, parts)))
    expected = [(number, line) for number, line in enumerate(text.split(b"\n"), 1) if line and not line.isspace()]
    assert list(LineReader(Storage(), str(path), LIMIT)) == expected


SHAPES: dict[str, Callable[[int], bytes]] = {
    "empty members": lambda n: gzip.compress(b"", mtime=0) * (n * 15_000),
    "one long line of tiny members": lambda n: gzip.compress(b"x", mtime=0) * (n * 15_000),
    "one long line": lambda n: gzip.compress(random.Random(1).randbytes(1_000).replace(b"\n", b"") * n * 5_000, 1),
    "zeros": lambda n: bytes(n * 8_000_000),
    "short lines": lambda n: b"x\n" * (n * 100_000),
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_twice_the_file_costs_twice(shape: str, tmp_path: Path) -> None:
    def cpu(n: int) -> float:
        (tmp_path / "a").write_bytes(SHAPES[shape](n))
        best = []
        for _ in range(3):
            began = time.process_time()
            lines(tmp_path / "a", 10**9)
            best.append(time.process_time() - began)
        return min(best)

    assert cpu(4) < 3 * cpu(2)


class Dripping:
    """A stream that gives a few bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, _size: int) -> bytes:
        part, self.content = self.content[:3], self.content[3:]
        return part


def test_a_stream_in_drops() -> None:
    assert b"".join(blocks_of(Dripping(gzip.compress(b"a\nb") + bytes(9) + gzip.compress(b"\nc")))) == b"a\nb\nc"


def put_link(path: Path, target: str) -> None:
    path.symlink_to(target)


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _: None, "it is not there any more"),
    "dangling": (lambda path: put_link(path, "nowhere"), "link to nothing"),
    "a link to itself": (lambda path: put_link(path, path.name), "is a link to itself"),
    "a folder": (lambda path: path.mkdir(), "is a folder"),
    "a pipe": (os.mkfifo, "is no ordinary file"),
    "below a file": (lambda path: path.parent.rmdir() or path.parent.write_bytes(b""), "no folder"),
}


@pytest.mark.parametrize("case", ODD, ids=str)
def test_what_is_no_file_of_this_machine(case: str, tmp_path: Path) -> None:
    make, message = ODD[case]
    path = tmp_path / "folder" / "a"
    path.parent.mkdir()
    make(path)
    [(line, part)] = LineReader(Storage(), str(path), LIMIT)
    assert isinstance(part, BadPart)
    assert (line, str(part.reason), part.raw) == (0, "unreadable_file", b"")
    assert message in part.message


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", os.fsdecode(b"a\xff")], ids=["too long", "NUL", "no UTF-8"])
def test_a_name_that_no_file_has(name: str, tmp_path: Path) -> None:
    [(_, part)] = LineReader(Storage(), f"{tmp_path}/{name}", LIMIT)
    assert isinstance(part, BadPart)
    assert str(part.reason) == "unreadable_file"


def test_a_failing_disk_is_no_files_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_raw: object) -> Iterator[bytes]:
        yield b"a\n"
        raise OSError(5, "Input/output error")

    (tmp_path / "a").write_bytes(b"a\n")
    monkeypatch.setattr(lines_module, "blocks_of", failing)
    with pytest.raises(StorageError, match="Input/output error"):
        lines(tmp_path / "a")


def test_a_file_that_grows_or_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path, lines_of_it = tmp_path / "a", 1 << 20
    path.write_bytes(b"a\n" * lines_of_it)
    reader = iter(LineReader(Storage(), str(path), LIMIT))
    assert next(reader) == (1, b"a")
    path.write_bytes(b"a\n" * (2 * lines_of_it))
    assert sum(1 for _ in reader) >= lines_of_it - 1
    reader = iter(LineReader(Storage(), str(path), LIMIT))
    next(reader)
    path.write_bytes(b"")
    assert all(line == b"a" for _, line in reader)
