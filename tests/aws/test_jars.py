"""The jars for S3 in real sessions: two at once that find none, and what is said where a class is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyspark
import pytest

from streaming_app.config.java_options import SHORT_JOB_JVM
from streaming_app.spark.jars.folder import complete
from streaming_app.spark.jars.lock import faults, locked_jars
from streaming_app.spark.jars.needed import PACKAGES
from tests.support.infra import ROOT
from tests.support.jar_mirror import JarMirror, jar_mirror
from tests.support.moto import REGION
from tests.support.raw import event, line, write

BUCKET = "clickstream-two-at-once"
READS = """
import sys
from streaming_app.plugins.load_config import load_config
from streaming_app.spark.session import get_session
from streaming_app.storage.files import Storage
config = load_config(sys.argv[1])
spark = get_session(config, Storage(config.s3.endpoint, config.s3.region))
print(spark.read.text(config.source.uri).count())
"""


@pytest.fixture(scope="module")
def pipeline(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of which everything is on S3, and a raw file with one request there."""
    folder = tmp_path_factory.mktemp("two")
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name=REGION)
    s3.create_bucket(Bucket=BUCKET)
    s3.upload_file(str(write(folder, "a.gz", line(event("a")))), BUCKET, "raw/a.gz")
    (folder / "c.yaml").write_text(
        f"project_id: t\nsource: {{uri: s3://{BUCKET}/raw/}}\nsink: {{uri: s3://{BUCKET}/lake/}}\n"
        f"apps: {{shop: {{transformer: clickstream_sdk}}}}\ns3: {{endpoint: '{endpoint}', region: {REGION}}}\n"
    )
    return folder / "c.yaml"


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JarMirror]:
    """Serves the jars that `make env` left: nothing comes over the network."""
    jars = locked_jars()
    files = {jar.coordinates: path for jar, path in zip(jars, complete(jars), strict=True)}
    with jar_mirror(tmp_path_factory.mktemp("mirror"), files) as found:
        yield found


def test_two_sessions_at_once_from_an_empty_folder(pipeline: Path, mirror: JarMirror, tmp_path: Path) -> None:
    empty = tmp_path / "a%b home/jars"  # no name of a folder may be in the way
    environment = {**os.environ, "CLICKSTREAM_JARS": str(empty), "CLICKSTREAM_IVY_SETTINGS": str(mirror.settings)}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    both = [subprocess.Popen([sys.executable, "-c", READS, str(pipeline)], **pipes) for _ in range(2)]
    ends = [process.communicate(timeout=300) for process in both]
    assert [(process.returncode, out) for process, (out, _) in zip(both, ends, strict=True)] == [(0, "1\n")] * 2, ends
    assert faults(locked_jars(), empty, checksums=True) == {}
    assert set(mirror.fetched.values()) == {1}
    assert len(mirror.fetched) == len(locked_jars())


def here(pipeline: Path, jars: str) -> subprocess.CompletedProcess[str]:
    """A run on this machine whose jars are those of the configuration."""
    own = pipeline.with_name("own.yaml")
    own.write_text(f"{pipeline.read_text()}spark: {{conf: {{{PACKAGES}: '', spark.jars: '{jars}'}}}}\n")
    return _done([str(Path(sys.executable).with_name("clickstream")), "run", "--config", str(own)], {})


def submitted(pipeline: Path, jars: str) -> subprocess.CompletedProcess[str]:
    """A run whose jars are those that spark-submit brings."""
    home = Path(pyspark.__file__).parent
    options = ["--master", "local[1]", "--driver-java-options", SHORT_JOB_JVM, *(["--jars", jars] if jars else [])]
    main = str(ROOT / "streaming_app/cli/__main__.py")
    command = [str(home / "bin/spark-submit"), *options, main, "run", "--config", str(pipeline)]
    return _done(command, {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(home)})


def _done(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **environment})


@pytest.mark.parametrize(
    ("run", "purpose", "name", "whose"),
    [
        (here, "delta", "org.apache.hadoop.fs.s3a.S3AFileSystem", "the jars for S3"),
        (submitted, None, "org.apache.spark.sql.delta.DeltaLog", "Delta's jars"),
        pytest.param(
            submitted, "delta", "org.apache.hadoop.fs.s3a.S3AFileSystem", "the jars for S3", marks=pytest.mark.exhaustive
        ),
    ],
)
def test_a_missing_class_is_a_clear_error(run: Any, purpose: Any, name: str, whose: str, pipeline: Path) -> None:
    jars = ",".join(map(str, complete(locked_jars(purpose)))) if purpose else ""
    done = run(pipeline, jars)
    assert done.returncode == 5, done.stderr[-3_000:]
    rows = f"{done.stdout}\n{done.stderr}".splitlines()  # spark-submit makes one of the two
    [error] = [row for row in rows if row.startswith("error: ")]
    assert error.startswith(f"error: the class {name} cannot be loaded (java.lang.ClassNotFoundException: ")
    assert f"{whose} are missing" in error
    remedy = "spark.jars or the image must bring it" if run is submitted else "python -m streaming_app.spark.jars --checksums"
    [hint] = [row for row in rows if row.startswith("hint: ")]
    assert remedy in hint
