"""A Java is found, or fetched, or its absence is said in one line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from streaming_app.errors import MissingDependencyError
from streaming_app.spark.java import SUPPORTED, ensure_java, java_version


def test_a_supported_java_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    java = shutil.which("java")
    if java is None or java_version(java) not in SUPPORTED:
        pytest.skip("this machine has no Java of its own")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    ensure_java()
    assert "JAVA_HOME" not in os.environ


def test_an_unusable_java_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("CJDK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("CJDK_INDEX_URL", "http://127.0.0.1:9/no-index.json")
    with pytest.raises(MissingDependencyError, match="Java 11 is there and none could be fetched") as problem:
        ensure_java()
    assert problem.value.hint == "install Java 17, for example: apt-get install openjdk-17-jre-headless"
