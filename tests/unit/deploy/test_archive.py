"""Archives are the same bytes whenever they are made of the same files."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from streaming_app.deploy.archive import size_of, write_tar_gz, write_zip

FILES = {"b/lib.so": "\x7fELF", "b/a.py": "a = 1\n", "b.py": "", "a/" + "long" * 40 + "/ä.py": "b = 2\n", "bin/tool": "#!"}
EXECUTABLE = "bin/tool"
Writer = Callable[[Path, Path], None]


def folder_of(files: list[str], folder: Path, *, umask: int, mtime: int) -> Path:
    """The files, made in the order given."""
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FILES[name], encoding="utf-8")
        path.chmod((0o777 if name == EXECUTABLE else 0o666) & ~umask)
        os.utime(path, (mtime, mtime))
    return folder


def read_tar(path: Path) -> dict[str, tuple[bytes, int]]:
    with tarfile.open(path) as tar:
        files = ((each, tar.extractfile(each)) for each in tar)
        return {each.name: (content.read(), each.mode) for each, content in files if content}


def read_zip(path: Path) -> dict[str, tuple[bytes, int]]:
    with zipfile.ZipFile(path) as packed:
        return {each.filename: (packed.read(each), each.external_attr >> 16) for each in packed.infolist()}


@pytest.mark.parametrize(("write", "read"), [(write_tar_gz, read_tar), (write_zip, read_zip)], ids=["tar.gz", "zip"])
def test_same_files_make_the_same_bytes(
    write: Writer, read: Callable[[Path], dict[str, tuple[bytes, int]]], tmp_path: Path
) -> None:
    one = folder_of(list(FILES), tmp_path / "one", umask=0o022, mtime=1_000_000_000)
    other = folder_of(list(reversed(FILES)), tmp_path / "other", umask=0o077, mtime=1_700_000_001)
    write(one, tmp_path / "one.archive")
    write(other, tmp_path / "other.archive")
    assert (tmp_path / "one.archive").read_bytes() == (tmp_path / "other.archive").read_bytes()

    packed = read(tmp_path / "one.archive")
    assert list(packed) == sorted(FILES)
    assert packed == {name: (text.encode(), 0o755 if name == EXECUTABLE else 0o644) for name, text in FILES.items()}
    assert size_of(one) == sum(len(text.encode()) for text in FILES.values())
