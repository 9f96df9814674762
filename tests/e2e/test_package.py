"""`clickstream package` makes what runs on AWS, from a checkout and from an installed wheel, for both architectures."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pyspark
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from streaming_app.deploy import uv
from streaming_app.deploy.archive import write_zip
from streaming_app.deploy.assemble import SUBMITTER, assemble
from streaming_app.deploy.build import build, check_fits
from streaming_app.deploy.manifest import Artifact
from streaming_app.deploy.project import unpack_project
from streaming_app.deploy.target import Target
from streaming_app.errors import ConfigError, MissingDependencyError
from streaming_app.lake.layout import LAYOUT_VERSION
from tests.support.package import ELSEWHERE, HERE, PYTHON, Package, made_in_checkout, skip_without_uv

ELF_MACHINES = {"arm64": 183, "x86_64": 62}
AL2023_GLIBC = 34  # 2.34
ON_EMR = {"pyspark", "py4j", "delta-spark"}
NOT_FOR_LAMBDA = {"pyarrow", "duckdb", "boto3", "deltalake", "pandas", *ON_EMR}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Made in this checkout."""
    skip_without_uv()
    package, output = made_in_checkout(tmp_path_factory.mktemp("elsewhere"), ELSEWHERE)
    assert f"environment.tar.gz  {(package.folder / 'environment.tar.gz').stat().st_size / 1e6:.1f} MB" in output
    return package


@pytest.fixture(params=["here", pytest.param("elsewhere", marks=pytest.mark.exhaustive)])
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
    assert not (ON_EMR | {"aiohttp"}) & set(job)
    assert {"geoip2", "maxminddb"} <= set(job)
    assert {"clickstream-lake", "aws_lambda_powertools", "pydantic", "ruamel.yaml"} <= set(function)
    assert not NOT_FOR_LAMBDA & set(function)
    names = [path.relative_to(package.environment).as_posix() for path in package.environment.rglob("*")]
    assert [name for name in names if name.endswith((".jar", ".pyc", "/RECORD", "direct_url.json"))] == []
    assert {"pyspark", "delta", "py4j", "bin", "tests", "pytest", "mypy"}.isdisjoint(name.partition("/")[0] for name in names)
    assert "streaming_app/_conf/pipeline.reference.yaml" in names


def test_manifest_tells_what_the_files_are(package: Package) -> None:
    assert set(package.manifest["files"]) == {"environment.tar.gz", "main.py", "submitter.zip"}
    templates = package.manifest["templates"]
    assert set(templates) == {"alarms.yaml", "tables.yaml", "queries.yaml"}, "the stack takes them from the same folder"
    assert all(hashlib.sha256((package.folder / name).read_bytes()).hexdigest() == found for name, found in templates.items())
    assert package.manifest["table_layout"] == LAYOUT_VERSION, "who goes back to an older package compares them"
    for name, file in package.manifest["files"].items():
        content = (package.folder / name).read_bytes()
        assert (file["sha256"], file["size"]) == (hashlib.sha256(content).hexdigest(), len(content))
        assert (file["architecture"], file["python"]) == (package.architecture, PYTHON)
    assert package.manifest["files"]["environment.tar.gz"]["unpacked"] > 100_000_000


def test_the_list_of_libraries_is_what_is_in_the_files(package: Package) -> None:
    text = (package.folder / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    for file in json.loads(text)["components"]:
        assert {each["name"]: each["version"] for each in file["components"]} == package.packages(file["name"])
    assert package.manifest["sbom"] == {"file": "sbom.cdx.json", "sha256": hashlib.sha256(text.encode()).hexdigest()}


def test_the_plugin_and_its_entry_point_are_there(package: Package) -> None:
    assert package.packages("environment.tar.gz")["segment-transformer"] == "0.1.0"
    [entry_points] = package.environment.glob("segment_transformer-*.dist-info/entry_points.txt")
    assert "segment = segment_transformer:Segment" in entry_points.read_text()
    assert (package.environment / "segment_transformer" / "__init__.py").is_file()


@pytest.mark.exhaustive
def test_checkout_and_installed_wheel_make_the_same(here: Package, elsewhere: Package) -> None:
    """The lock file's versions are those of this environment."""
    assert here.packages("environment.tar.gz") == elsewhere.packages("environment.tar.gz")


def test_what_is_made_again_is_the_same_to_the_byte(here: Package, tmp_path: Path) -> None:
    target = Target(HERE, PYTHON)
    unpack_project(uv.Uv(), target, tmp_path / "project")
    assemble(uv.Uv(), target, SUBMITTER, [], tmp_path / "project", tmp_path / "again")
    write_zip(tmp_path / "again", tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (here.folder / "submitter.zip").read_bytes()


def isolated(folder: Path, *arguments: str, python_path: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """A process of the bare interpreter, which sees no site-packages and no variables of this one."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(python_path), "HOME": str(folder), **variables}
    command = [sys.executable, "-S", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def image(here: Package) -> list[str]:
    """PYTHONPATH as on EMR: the environment, and Spark and Py4J alone from the image."""
    spark = here.folder / "image"
    spark.mkdir()
    for name in ("pyspark", "py4j"):
        (spark / name).symlink_to(Path(pyspark.__file__).parents[1] / name)
    return ["./environment", str(spark)]


def test_the_environment_runs_where_only_spark_is(here: Package, image: list[str]) -> None:
    work = here.environment.parent
    imports = "import streaming_app.pipeline, streaming_app.ingest.stream, streaming_app.derive.stream, pyarrow.dataset, pandas"
    done = isolated(work, "-c", f"{imports}; print(pandas.__file__)", python_path=image)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(str(work))

    done = isolated(work, str(here.folder / "main.py"), "plugins", "list", "--json", python_path=image)
    assert done.returncode == 0, done.stderr
    found = {json.loads(line)["name"] for line in done.stdout.splitlines()}
    assert {"clickstream_sdk", "gtm_server", "sensors_data", "ip", "user_agent", "traffic_source"} <= found


def test_a_failed_run_is_a_failed_process(here: Package, image: list[str]) -> None:
    """spark-submit makes the exit code of main.py the state of the job."""
    done = isolated(here.environment.parent, str(here.folder / "main.py"), "run", "--config", "no.yaml", python_path=image)
    assert done.returncode == 2
    assert "no.yaml" in done.stderr


def test_the_submitter_imports_with_what_lambda_has(here: Package, image: list[str]) -> None:
    """Lambda's runtime is boto3 and what that requires."""
    site, lambda_ = Path(pyspark.__file__).parents[1], here.folder / "lambda"
    lambda_.mkdir()
    for name in ("boto3", "botocore", "s3transfer", "dateutil", "urllib3", "six.py"):
        (lambda_ / name).symlink_to(site / name)
    code = (
        "import importlib, pkgutil, submitter\n"
        "for each in pkgutil.iter_modules(submitter.__path__, 'submitter.'): importlib.import_module(each.name); print(each.name)"
    )
    done = isolated(
        here.submitter, "-c", code, python_path=[".", str(lambda_)], AWS_DEFAULT_REGION="eu-west-1", POWERTOOLS_DEV="1"
    )
    assert done.returncode == 0, done.stderr
    assert "submitter.handler" in done.stdout.split()


@pytest.mark.parametrize(
    ("added", "error", "says"),
    [
        ("examples/nothing", ConfigError, "--with examples/nothing: no folder with a pyproject.toml and no wheel"),
        ("pandas<2", MissingDependencyError, "pandas"),
        ("antlr4-python3-runtime==4.9.3", MissingDependencyError, "antlr4-python3-runtime==4.9.3 has no usable wheels"),
    ],
    ids=["not there", "at odds with the lock file", "without a wheel"],
)
def test_what_cannot_be_added_is_named(added: str, error: type[Exception], says: str, tmp_path: Path) -> None:
    skip_without_uv()
    target = Target("arm64", PYTHON)
    with pytest.raises(error) as raised:
        build(tmp_path, target, target, [added], lambda _: None)
    if "Failed to fetch" in str(raised.value):
        pytest.skip("NO PACKAGE WAS TRIED: no package index can be reached")
    assert says in str(raised.value)
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize("over", [0, 1])
def test_a_function_beyond_lambdas_limit_is_refused(over: int, tmp_path: Path) -> None:
    made = Artifact(tmp_path / "submitter.zip", 262_144_000 + over, Target("arm64", PYTHON), {"pyarrow": "26.0.1"})
    refused = (
        pytest.raises(MissingDependencyError, match=r"submitter\.zip would be 262,144,001 bytes unpacked")
        if over
        else nullcontext()
    )
    with refused:
        check_fits(made)


def test_missing_uv_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setattr(uv, "CHECKOUT", tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(MissingDependencyError, match="uv is missing") as raised:
        uv.find_uv()
    assert raised.value.hint == "pip install uv"
