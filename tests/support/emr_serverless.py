"""EMR Serverless on this machine: an HTTP service that takes job runs, and what runs one of them as the service would.

moto has this service too, but refuses ``emr-spark-*`` labels, ends each run at once and ignores client tokens. Requests come
from botocore, which has checked them against the service's own model.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyspark

from streaming_app.spark.jars.folder import complete
from streaming_app.spark.jars.lock import locked_jars
from streaming_app.storage.uris import bucket_and_key
from tests.support.http import JsonHandler, serving

PAGE = 2
"""Job runs on a page: few, so that every test pages."""


@dataclass
class EmrServerless:
    """Job runs by the order of their start; a test moves their ``state`` on."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of StartJobRun."""
    failures: list[tuple[int, str]] = field(default_factory=list)
    """Status and error code of the next answers."""
    moves: list[str] = field(default_factory=list)
    """States that a run is found in, one after the other, each time it is asked for."""
    lock: Lock = field(default_factory=Lock)

    def start(self, application: str, body: dict[str, Any]) -> dict[str, Any]:
        """A client token that is known starts nothing."""
        with self.lock:
            return self._start(application, body)

    def _start(self, application: str, body: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(body)
        known = [run for run in self.runs if run["token"] == body["clientToken"]]
        if not known:
            number = len(self.runs) + 1
            run = {"applicationId": application, "id": f"run-{number}", "arn": f"arn:run-{number}", "name": body.get("name")}
            moments = {"createdAt": 1_780_000_000 + number, "updatedAt": 1_780_000_000 + number}
            needed = {"createdBy": "me", "executionRole": body["executionRoleArn"], "releaseLabel": "emr-spark-8.1.0"}
            known = [{**run, **moments, **needed, "stateDetails": "", "state": "SUBMITTED", "token": body["clientToken"]}]
            self.runs.append(known[0])
        return {"applicationId": application, "jobRunId": known[0]["id"], "arn": known[0]["arn"]}

    def listed(self, query: dict[str, list[str]]) -> dict[str, Any]:
        states = query.get("states", [])
        found = [run for run in reversed(self.runs) if run["state"] in states]
        begin = int(query.get("nextToken", ["0"])[0])
        more = {"nextToken": str(begin + PAGE)} if begin + PAGE < len(found) else {}
        return {"jobRuns": [{k: v for k, v in run.items() if k != "token"} for run in found[begin : begin + PAGE]], **more}

    def found(self, job_run_id: str) -> dict[str, Any]:
        """A run as GetJobRun tells it; one that has ended has used something."""
        [run] = [run for run in self.runs if run["id"] == job_run_id]
        moved = self.moves.pop(0) if self.moves else run["state"]
        run["state"] = moved
        needed = {"jobDriver": self.requests[0]["jobDriver"], "attempt": 1}
        billed = {"vCPUHour": 1.5, "memoryGBHour": 4.0, "storageGBHour": 0.0} if moved == "SUCCESS" else {}
        return {"jobRun": {**{k: v for k, v in run.items() if k != "token"}, **needed, "billedResourceUtilization": billed}}

    def end(self, state: str = "SUCCESS") -> None:
        """The run that started last ends."""
        self.runs[-1]["state"] = state


@contextmanager
def serving_emr() -> Iterator[tuple[EmrServerless, str]]:
    """The service and its endpoint."""
    emr = EmrServerless()

    class Handler(JsonHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server looks for
            parts = urlsplit(self.path)
            _, _, _, kind, *job_run = parts.path.split("/")
            assert kind == "jobruns"
            self._answer(lambda: emr.found(job_run[0]) if job_run else emr.listed(parse_qs(parts.query)))

        def do_POST(self) -> None:  # noqa: N802 - the same
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(lambda: emr.start(self.path.split("/")[2], body))

        def _answer(self, make: Callable[[], Any]) -> None:
            status, code = emr.failures.pop(0) if emr.failures else (200, "")
            if code:
                self.answer({"message": code}, status, **{"x-amzn-ErrorType": code})
            else:
                self.answer(make())

    with serving(Handler) as address:
        yield emr, address


ON_THE_IMAGE = "/usr/share/aws/delta/lib/"


def lay_delta_jars(folder: Path) -> Path:
    """A folder with Delta's jars, by names like those on the image, which no test knows exactly."""
    folder.mkdir()
    for path in complete(locked_jars("delta")):
        if path.name.startswith("io.delta_"):
            (folder / path.name.removeprefix("io.delta_").replace(".jar", "-amzn-0.jar")).symlink_to(path)
    return folder


def _image_jars() -> str:
    """The class path of what else is on the image: S3A, and what Delta needs besides its own jars."""
    return os.pathsep.join(str(path) for path in complete(locked_jars()) if not path.name.startswith("io.delta_"))


def spark_submit(
    request: dict[str, Any], s3: Any, folder: Path, delta_jars: Path, variables: dict[str, str]
) -> subprocess.Popen[str]:
    """The process of a job run, started as the service starts it: in a folder of its own, from the objects on S3.

    The interpreter knows none of this environment's packages, and the environment has no variable of AWS but those of the request
    and ``variables``, which stand for the role's credentials. What stands in for the image: ``delta_jars`` in place of the folder
    that ``spark.jars`` names, and one machine in place of the workers.
    """
    submit = request["jobDriver"]["sparkSubmit"]
    [defaults] = request["configurationOverrides"]["applicationConfiguration"]
    assert defaults["classification"] == "spark-defaults"
    given = dict(each.split("=", 1) for each in shlex.split(submit["sparkSubmitParameters"]) if each != "--conf")
    settings = {**defaults["properties"], **given}
    _fetch(s3, submit["entryPoint"], folder / "main.py")
    archive, _, name = settings.pop("spark.archives").partition("#")
    if not (folder / name).exists():
        _fetch(s3, archive, folder / "archive.tar.gz")
        with tarfile.open(folder / "archive.tar.gz") as tar:
            tar.extractall(folder / name, filter="data")
    assert settings["spark.jars"].startswith(ON_THE_IMAGE)
    settings["spark.jars"] = settings["spark.jars"].replace(ON_THE_IMAGE, f"{delta_jars}/")
    driver = "spark.emr-serverless.driverEnv."
    environment = {key.removeprefix(driver): value for key, value in settings.items() if key.startswith(driver)}
    home = Path(pyspark.__file__).parent
    command = [str(home / "bin" / "spark-submit"), "--master", "local[2]", "--driver-class-path", _image_jars()]
    for key, value in settings.items():
        if not key.startswith("spark.emr-serverless."):
            command += ["--conf", f"{key}={value}"]
    kept = {name: value for name, value in os.environ.items() if name.startswith(("JAVA_", "HOME", "LANG"))} | variables
    base = {**kept, "SPARK_HOME": str(home), "PATH": f"{Path(sys.base_prefix, 'bin')}{os.pathsep}/usr/bin{os.pathsep}/bin"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": (folder / "stderr.txt").open("w"), "text": True}
    arguments = [*command, "main.py", *submit["entryPointArguments"]]
    return subprocess.Popen(arguments, cwd=folder, env={**base, **environment}, start_new_session=True, **pipes)


def _fetch(s3: Any, uri: str, path: Path) -> None:
    bucket, key = bucket_and_key(uri)
    s3.download_file(bucket, key, str(path))
