"""The list of jars and the folder it is compared with; which jars a configuration needs; what is said of missing classes."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from streaming_app.cli import _exit_code
from streaming_app.errors import MissingDependencyError
from streaming_app.spark.jars.folder import complete, jars_folder
from streaming_app.spark.jars.ivy import spark_jars
from streaming_app.spark.jars.lock import Jar, faults, locked_jars
from streaming_app.spark.jars.needed import jar_settings, needed_jars
from streaming_app.spark.jars.renew import packages
from streaming_app.spark.required_classes import missing_class
from streaming_app.spark.session import get_session
from streaming_app.storage.files import Storage
from tests.support.infra import ROOT
from tests.support.lake import config_for

DELTA = "io.delta:delta-spark_4.1_2.13:4.2.0"
S3 = "checkpoint: {uri: 's3://bucket/progress'}\n"
JAR = Jar("delta", "org.example:a:1.0", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
"""Whose content is "abc"."""


def test_the_list_is_of_the_versions_in_pyproject() -> None:
    """Change pyspark or delta-spark, and this fails until the list is renewed: python -m streaming_app.spark.jars --renew."""
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    versions = dict(each.split("==") for each in required if "==" in each and ";" not in each)
    assert {name: version(name) for name in ("delta-spark", "pyspark")}.items() <= versions.items()
    wanted = packages(spark_jars())
    for purpose, coordinates in wanted.items():
        assert coordinates in {jar.coordinates for jar in locked_jars(purpose)}
    assert {jar.purpose for jar in locked_jars()} == set(wanted)


@pytest.mark.parametrize("open_", ["the folder", "the jar"])
def test_a_jar_that_others_could_exchange_is_read_to_its_end(open_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual look at names and sizes would not notice."""
    monkeypatch.delenv("CLICKSTREAM_JARS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = jars_folder()
    folder.mkdir(parents=True)
    jar = folder / JAR.file_name
    jar.write_bytes(b"abd")
    jar.chmod(0o644)
    assert complete([JAR]) == [jar]
    (folder if open_ == "the folder" else jar).chmod(0o777)
    with pytest.raises(MissingDependencyError, match="has another content than the locked one"):
        complete([JAR], tmp_path / "no settings.xml")
    assert not [path for path in (folder, jar) if path.stat().st_mode & 0o022]
    jar.write_bytes(b"abc")
    assert complete([JAR]) == [jar]


def test_no_jar_of_the_list_comes_with_spark() -> None:
    """Two versions of one library on a class path: which one is loaded would be chance."""
    artifacts = {jar.coordinates.split(":")[1] for jar in locked_jars()}
    assert [
        name for name in spark_jars() if any(name.startswith(f"{each}-") and name[len(each) + 1].isdigit() for each in artifacts)
    ] == []


@pytest.mark.parametrize(
    ("content", "quick", "thorough"),
    [
        (None, "is not there", "is not there"),
        ("a folder", "is not there", "is not there"),
        (b"", "has 0 bytes, not 3", "has 0 bytes, not 3"),
        (b"ab", "has 2 bytes, not 3", "has 2 bytes, not 3"),
        (b"abd", "", "has another content than the locked one"),
        (b"abc", "", ""),
    ],
)
def test_what_is_wrong_with_a_jar(content: bytes | str | None, quick: str, thorough: str, tmp_path: Path) -> None:
    path = tmp_path / JAR.file_name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    assert faults([JAR], tmp_path).get(JAR, "") == quick
    assert faults([JAR], tmp_path, checksums=True).get(JAR, "") == thorough


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which every jar has its name and size."""
    folder = tmp_path / "full"
    folder.mkdir(parents=True)
    for jar in locked_jars():
        with (folder / jar.file_name).open("wb") as file:
            file.truncate(jar.size)
    monkeypatch.setenv("CLICKSTREAM_JARS", str(folder))
    monkeypatch.setenv("CLICKSTREAM_IVY_SETTINGS", "/nothing/is/fetched.xml")
    return folder


@pytest.mark.parametrize(
    ("extra", "scheme", "before", "purposes"),
    [
        ("", "local:/", "", {"delta"}),
        (S3, "local:/", "", {"delta", "s3"}),
        ("spark: {master: 'local[2]'}\n", "local:/", "", {"delta"}),
        ("spark: {master: 'spark://host:7077'}\n", "file:///", "", {"delta"}),
        (S3 + "spark: {conf: {spark.jars: '/mine/a.jar,/mine/b.jar'}}\n", "local:/", "/mine/a.jar,/mine/b.jar,", {"delta", "s3"}),
    ],
)
def test_what_spark_is_told(extra: str, scheme: str, before: str, purposes: set[str], full: Path) -> None:
    settings = jar_settings(config_for(full, extra))
    assert set(settings) == {"spark.jars"}
    assert settings["spark.jars"].startswith(before)
    uris = settings["spark.jars"].removeprefix(before).split(",")
    names = [jar.file_name for jar in locked_jars() if jar.purpose in purposes]
    assert [uri.rpartition("/")[2] for uri in uris] == names
    assert all(uri.startswith(scheme) and uri.partition("/")[0] == scheme.partition("/")[0] for uri in uris)


def test_a_name_that_is_hard_to_write_as_a_uri(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark takes what stands behind ``local:`` as it is, and fails with a blank in it."""
    monkeypatch.setenv("CLICKSTREAM_JARS", str(full.rename(full.with_name("a%b c"))))
    uris = jar_settings(config_for(full))["spark.jars"].split(",")
    assert all(uri.startswith("file:///") and "/a%25b%20c/" in uri for uri in uris)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("", ""),
        (" , ", " , "),
        ("org.example:mine:1.0", f"{DELTA},org.example:mine:1.0"),
        (
            "org.example:mine:1.0, org.apache.hadoop:hadoop-aws:3.4.2",
            f"{DELTA},org.example:mine:1.0,org.apache.hadoop:hadoop-aws:3.4.2",
        ),
        (f"{DELTA},org.example:mine:1.0", f"{DELTA},org.example:mine:1.0"),
        ("org.example:mine:1.0,io.delta:delta-spark_4.1_2.13:4.2.1", "org.example:mine:1.0,io.delta:delta-spark_4.1_2.13:4.2.1"),
    ],
)
def test_delta_comes_with_packages_of_ones_own(named: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By delta-spark's own helper, in the installed version, unless one is named; no packages, nothing is fetched."""
    given: dict[str, str] = {}

    class Started(Exception): ...

    def start(builder: SparkSession.Builder) -> None:
        given.update(builder._options)
        raise Started

    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.setenv("CLICKSTREAM_JARS", str(tmp_path / "empty"))
    monkeypatch.setattr(SparkSession.Builder, "getOrCreate", start)
    with pytest.raises(MissingDependencyError):
        get_session(config_for(tmp_path, f"spark: {{conf: {{spark.jars.packages: '{named}'}}}}\n"), Storage())
    assert given["spark.jars.packages"] == told
    assert "spark.jars" not in given


@pytest.mark.parametrize("named", ["", "io.delta:delta-spark_4.1_2.13:4.2.0,org.example:mine:1.0"])
def test_who_names_packages_has_them_by_sparks_resolver(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKSTREAM_JARS", str(tmp_path / "empty"))
    config = config_for(tmp_path, f"{S3}spark: {{conf: {{spark.jars.packages: '{named}'}}}}\n")
    assert needed_jars(config) == ()
    assert list(jar_settings(config)) == ["spark.jars.ivySettings"]
    assert not (tmp_path / "empty").exists()


def test_where_the_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLICKSTREAM_JARS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert jars_folder() == tmp_path / "cache/clickstream/jars"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLICKSTREAM_JARS", "jars")
    assert jars_folder() == tmp_path / "jars"


@pytest.mark.parametrize(
    ("said", "name", "whose"),
    [
        ("calling o90.load.\n: java.lang.ClassNotFoundException: Class org.apache.hadoop.fs.s3a.S3AFileSystem not found\n\tat org", "org.apache.hadoop.fs.s3a.S3AFileSystem", "the jars for S3"),
        ("Caused by: java.lang.NoClassDefFoundError: software/amazon/awssdk/core/exception/SdkException", "software.amazon.awssdk.core.exception.SdkException", "the jars for S3"),
        ("java.lang.NoClassDefFoundError: Could not initialize class org.apache.spark.sql.delta.DeltaLog$", "org.apache.spark.sql.delta.DeltaLog$", "Delta's jars"),
        ("java.lang.ClassNotFoundException: org.example.Mine", "org.example.Mine", "jars"),
    ],
)  # fmt: skip
def test_a_missing_class_is_one_line(
    said: str, name: str, whose: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError(said)

    found = missing_class(said)
    assert found
    assert str(found) == f"the class {name} cannot be loaded: {whose} are missing, damaged or of other versions"
    monkeypatch.setattr("streaming_app.cli.app", fails)
    assert _exit_code([], debug=False) == 5
    error, hint = capsys.readouterr().err.splitlines()
    assert (error, hint) == (f"error: {found}", f"hint: {found.hint}")


def test_other_errors_stay_what_they_are() -> None:
    assert missing_class("java.lang.OutOfMemoryError: Java heap space") is None
    assert missing_class("java.io.FileNotFoundException: s3://bucket/ClassNotFoundException") is None
