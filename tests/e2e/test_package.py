"""`clickstream package` makes what runs on AWS, from a checkout and from an installed wheel, for both architectures."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyspark
import pytest

from streaming_app.errors import ConfigError, EnvironmentProblem
from streaming_app.packaging import uv
from streaming_app.packaging.archive import write_zip
from streaming_app.packaging.assemble import SUBMITTER, assemble
from streaming_app.packaging.build import build, check_fits
from streaming_app.packaging.manifest import Made
from streaming_app.packaging.project import unpack_project
from streaming_app.packaging.target import Target

ROOT = Path(__file__).parents[2]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"  # so that this interpreter can load what is compiled
ELF_MACHINES = {"arm64": 183, "x86_64": 62}
AL2023_GLIBC = 34  # 2.34
ON_EMR = {"pyspark", "py4j", "delta-spark"}
NOT_FOR_LAMBDA = {"pyarrow", "duckdb", "boto3", "deltalake", "pandas", *ON_EMR}


@dataclass(frozen=True)
class Package:
    architecture: str
    folder: Path

    @property
    def environment(self) -> Path:
        return self.folder / "unpacked" / "environment"

    @property
    def submitter(self) -> Path:
        return self.folder / "unpacked" / "submitter"

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.folder / "manifest.json").read_text())

    def packages(self, file: str) -> dict[str, str]:
        return self.manifest["files"][file]["packages"]

    def unpack(self) -> None:
        with tarfile.open(self.folder / "environment.tar.gz") as tar:
            tar.extractall(self.environment, filter="data")
        with zipfile.ZipFile(self.folder / "submitter.zip") as packed:
            packed.extractall(self.submitter)  # noqa: S202 - made by ourselves


def clickstream_package(folder: Path, architecture: str, *options: str, **variables: str) -> str:
    """Output of the command in a process of its own; an index out of reach skips, so that the rest can be tested offline."""
    command = [sys.executable, "-c", "from streaming_app.cli import main; main()", "package", "--lambda-python", HERE]
    command += ["--python", HERE, "--out", str(folder), "--architecture", architecture, *options]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=folder.parent, env=environment, capture_output=True, text=True, timeout=500, check=False)
    if "Failed to fetch" in done.stderr:
        pytest.skip(f"NO PACKAGE WAS MADE: no package index can be reached: {done.stderr[-500:]}")
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stdout


@pytest.fixture(scope="module")
def uv_is_here() -> None:
    try:
        uv.find_uv()
    except EnvironmentProblem as error:
        pytest.skip(f"NO PACKAGE WAS MADE: {error}; {error.hint}")


@pytest.fixture(scope="module")
def arm64(uv_is_here: None, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Made in this checkout, with a user's plugin."""
    package = Package("arm64", tmp_path_factory.mktemp("arm64") / "dist")
    output = clickstream_package(package.folder, "arm64", "--with", str(ROOT / "examples" / "segment_transformer"))
    assert f"environment.tar.gz  {(package.folder / 'environment.tar.gz').stat().st_size / 1e6:.1f} MB" in output
    package.unpack()
    return package


@pytest.fixture(scope="module")
def x86_64(uv_is_here: None, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Made where the project is installed from its wheel, as it is for people without a checkout."""
    work = tmp_path_factory.mktemp("x86_64")
    wheel = uv.Uv().build_wheel(ROOT, work / "wheel")
    uv.Uv().install(Target("x86_64", HERE), [wheel], work / "site")  # pure Python: it goes for any machine
    package = Package("x86_64", work / "dist")
    clickstream_package(package.folder, "x86_64", PYTHONPATH=str(work / "site"))
    package.unpack()
    return package


@pytest.fixture(params=["arm64", "x86_64"])
def package(request: pytest.FixtureRequest) -> Package:
    return request.getfixturevalue(request.param)


def test_compiled_files_are_for_the_machine(package: Package) -> None:
    for folder in (package.environment, package.submitter):
        libraries = [path for path in folder.rglob("*") if re.search(r"\.so(\.\d+)*$", path.name)]
        contents = {path: path.read_bytes() for path in libraries}
        assert {content[:4] for content in contents.values()} == {b"\x7fELF"}
        assert {int.from_bytes(content[18:20], "little") for content in contents.values()} == {ELF_MACHINES[package.architecture]}
        minors = {int(found) for content in contents.values() for found in re.findall(rb"GLIBC_2\.(\d+)", content)}
        assert max(minors) <= AL2023_GLIBC


def test_nothing_is_there_that_should_not_be(package: Package) -> None:
    job, function = package.packages("environment.tar.gz"), package.packages("submitter.zip")
    assert {"clickstream-lake", "pyarrow", "duckdb", "deltalake", "boto3", "pandas"} <= set(job)
    assert not ON_EMR & set(job)
    assert {"clickstream-lake", "aws_lambda_powertools", "pydantic", "ruamel.yaml"} <= set(function)
    assert not NOT_FOR_LAMBDA & set(function)
    names = [path.relative_to(package.environment).as_posix() for path in package.environment.rglob("*")]
    assert [name for name in names if name.endswith((".jar", ".pyc", "/RECORD", "direct_url.json"))] == []
    assert {"pyspark", "delta", "py4j", "bin", "tests", "pytest", "mypy"}.isdisjoint(name.partition("/")[0] for name in names)
    assert "streaming_app/_conf/pipeline.reference.yaml" in names


def test_manifest_tells_what_the_files_are(package: Package) -> None:
    assert set(package.manifest["files"]) == {"environment.tar.gz", "main.py", "submitter.zip"}
    for name, file in package.manifest["files"].items():
        content = (package.folder / name).read_bytes()
        assert (file["sha256"], file["size"]) == (hashlib.sha256(content).hexdigest(), len(content))
        assert (file["architecture"], file["python"]) == (package.architecture, HERE)
    assert package.manifest["files"]["environment.tar.gz"]["unpacked"] > 100_000_000


def test_the_plugin_and_its_entry_point_are_there(arm64: Package) -> None:
    assert arm64.packages("environment.tar.gz")["segment-transformer"] == "0.1.0"
    [entry_points] = arm64.environment.glob("segment_transformer-*.dist-info/entry_points.txt")
    assert "segment = segment_transformer:Segment" in entry_points.read_text()
    assert (arm64.environment / "segment_transformer" / "__init__.py").is_file()


def test_checkout_and_installed_wheel_make_the_same(arm64: Package, x86_64: Package, tmp_path: Path) -> None:
    """The lock file's versions are those of this environment; and what is made again, elsewhere, is the same to the byte."""
    job = {**x86_64.packages("environment.tar.gz"), "segment-transformer": "0.1.0"}
    assert arm64.packages("environment.tar.gz") == job
    target = Target("x86_64", HERE)
    unpack_project(uv.Uv(), target, tmp_path / "project")
    assemble(uv.Uv(), target, SUBMITTER, [], tmp_path / "project", tmp_path / "again")
    write_zip(tmp_path / "again", tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (x86_64.folder / "submitter.zip").read_bytes()


def isolated(folder: Path, *arguments: str, python_path: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """A process of the bare interpreter, which sees no site-packages and no variables of this one."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(python_path), "HOME": str(folder), **variables}
    command = [sys.executable, "-S", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def image(x86_64: Package) -> list[str]:
    """PYTHONPATH as on EMR: the environment, and Spark and Py4J alone from the image."""
    if os.uname().machine != "x86_64":
        pytest.skip("this machine cannot load what is made for x86_64")
    spark = x86_64.folder / "image"
    spark.mkdir()
    for name in ("pyspark", "py4j"):
        (spark / name).symlink_to(Path(pyspark.__file__).parents[1] / name)
    return ["./environment", str(spark)]


def test_the_environment_runs_where_only_spark_is(x86_64: Package, image: list[str]) -> None:
    work = x86_64.environment.parent
    imports = "import streaming_app.pipeline, streaming_app.ingest.stream, streaming_app.derive.stream, pyarrow.dataset, pandas"
    done = isolated(work, "-c", f"{imports}; print(pandas.__file__)", python_path=image)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(str(work))

    done = isolated(work, str(x86_64.folder / "main.py"), "plugins", "list", "--json", python_path=image)
    assert done.returncode == 0, done.stderr
    found = {json.loads(line)["name"] for line in done.stdout.splitlines()}
    assert {"clickstream_sdk", "gtm_server", "sensors_data", "ip", "user_agent", "traffic_source"} <= found


def test_a_failed_run_is_a_failed_process(x86_64: Package, image: list[str]) -> None:
    """spark-submit makes the exit code of main.py the state of the job."""
    done = isolated(x86_64.environment.parent, str(x86_64.folder / "main.py"), "run", "--config", "no.yaml", python_path=image)
    assert done.returncode == 2
    assert "no.yaml" in done.stderr


def test_the_submitter_imports_with_what_lambda_has(x86_64: Package, image: list[str]) -> None:
    """Lambda's runtime is boto3 and what that requires."""
    site, lambda_ = Path(pyspark.__file__).parents[1], x86_64.folder / "lambda"
    lambda_.mkdir()
    for name in ("boto3", "botocore", "s3transfer", "dateutil", "urllib3", "six.py"):
        (lambda_ / name).symlink_to(site / name)
    code = (
        "import importlib, pkgutil, submitter\n"
        "for each in pkgutil.iter_modules(submitter.__path__, 'submitter.'): importlib.import_module(each.name); print(each.name)"
    )
    done = isolated(
        x86_64.submitter, "-c", code, python_path=[".", str(lambda_)], AWS_DEFAULT_REGION="eu-west-1", POWERTOOLS_DEV="1"
    )
    assert done.returncode == 0, done.stderr
    assert "submitter.handler" in done.stdout.split()


@pytest.mark.parametrize(
    ("added", "error", "says"),
    [
        ("examples/nothing", ConfigError, "--with examples/nothing: no folder with a pyproject.toml and no wheel"),
        ("pandas<2", EnvironmentProblem, "pandas"),
        ("antlr4-python3-runtime==4.9.3", EnvironmentProblem, "antlr4-python3-runtime==4.9.3 has no usable wheels"),
    ],
    ids=["not there", "at odds with the lock file", "without a wheel"],
)
def test_what_cannot_be_added_is_named(added: str, error: type[Exception], says: str, uv_is_here: None, tmp_path: Path) -> None:
    target = Target("arm64", HERE)
    with pytest.raises(error) as raised:
        build(tmp_path, target, target, [added], lambda _: None)
    if "Failed to fetch" in str(raised.value):
        pytest.skip("NO PACKAGE WAS TRIED: no package index can be reached")
    assert says in str(raised.value)
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize("over", [0, 1])
def test_a_function_beyond_lambdas_limit_is_refused(over: int, tmp_path: Path) -> None:
    made = Made(tmp_path / "submitter.zip", 262_144_000 + over, Target("arm64", HERE), {"pyarrow": "26.0.1"})
    refused = (
        pytest.raises(EnvironmentProblem, match=r"submitter\.zip would be 262,144,001 bytes unpacked") if over else nullcontext()
    )
    with refused:
        check_fits(made)


def test_missing_uv_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setattr(uv, "CHECKOUT", tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(EnvironmentProblem, match="uv is missing") as raised:
        uv.find_uv()
    assert raised.value.hint == "pip install uv"
