"""The submitter's decision: what it submits, how large, when it does nothing. EMR Serverless is an HTTP service of the tests."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import boto3
import msgspec
import pytest
import yaml

from streaming_app.cli import app
from streaming_app.config.emr import EmrSection
from streaming_app.errors import ClickstreamError, ConfigError
from streaming_app.lake.lock.holder import Holder
from streaming_app.spark.java import ensure_java, found_java
from streaming_app.storage.conditional_object import LocalConditionalObject
from submitter import decide as decide_module
from submitter import in_use
from submitter.decision_report import SUBMITTER_METRICS, decision_metrics, describe_decision
from submitter.deployment import Deployment
from submitter.handler import handler
from submitter.job_run_request import client_token
from submitter.runs import ACTIVE, ENDED, Runs
from submitter.sizing import enough_bytes, plan_for, worker_dollars
from submitter.submit import submit
from submitter.trigger import OVERRIDABLE
from tests.support.emr_serverless import EmrServerless, serving_emr
from tests.support.lake import LocalPipeline
from tests.support.raw import event, line, write

CONFIG = """
project_id: my shop
source: {{uri: {0}/raw}}
sink: {{uri: {0}/lake}}
apps: {{shop: {{transformer: clickstream_sdk}}}}
emr: {{tags: {{team: web}}, timeout_minutes: 60, sizing: {{compression_ratio: 10}}}}
"""
GB = 1_000_000_000
ENVIRONMENT = {
    "CLICKSTREAM_CONFIG": "pipeline.yaml",
    "CLICKSTREAM_APPLICATION_ID": "00f1abcdefgh",
    "CLICKSTREAM_JOB_ROLE_ARN": "arn:aws:iam::123456789012:role/job",
    "CLICKSTREAM_PACKAGE": "s3://artifacts/clickstream/0.1.0/",
    "CLICKSTREAM_LOG_URI": "s3://logs/job/",
    "CLICKSTREAM_LOG_GROUP": "/clickstream/job",
    "CLICKSTREAM_KMS_KEY_ARN": "",
}


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[EmrServerless, str]]:
    with serving_emr() as found:
        yield found


@pytest.fixture
def emr(service: tuple[EmrServerless, str], monkeypatch: pytest.MonkeyPatch) -> EmrServerless:
    """The service without any run, and the environment that leads boto3 there."""
    emr, url = service
    emr.runs.clear()
    emr.requests.clear()
    settings = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1"}
    for name, value in {**settings, "AWS_ENDPOINT_URL_EMR_SERVERLESS": url}.items():
        monkeypatch.setenv(name, value)
    return emr


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    (tmp_path / "raw").mkdir()
    (tmp_path / "pipeline.yaml").write_text(CONFIG.format(tmp_path))
    return Deployment.from_environment(ENVIRONMENT | {"CLICKSTREAM_CONFIG": str(tmp_path / "pipeline.yaml")})


def configure(deployment: Deployment, **sections: Any) -> None:
    """Write sections of the configuration over those that are there."""
    path = Path(deployment.config_uri)
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | sections))


def raw(folder: Path, name: str = "a.gz", size: int = 10) -> None:
    path = folder / "raw/year=2026/month=05" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)  # sparse: a backlog of gigabytes takes no disk


def test_nothing_unprocessed_nothing_started(emr: EmrServerless, deployment: Deployment) -> None:
    done = submit(deployment, {})
    assert (describe_decision(done.decision)["decision"], done.job_run_id, emr.requests) == ("nothing is unprocessed", None, [])


def test_the_request(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    raw(tmp_path)
    assert submit(deployment, {}).job_run_id == "run-1"
    [request] = emr.requests
    token = request["clientToken"]
    spark = request["jobDriver"]["sparkSubmit"]
    assert request["name"] == "clickstream-my-shop"
    assert request["tags"] == {"clickstream:pipeline": "my shop", "team": "web"}
    assert (request["executionTimeoutMinutes"], request["retryPolicy"], request["mode"]) == (60, {"maxAttempts": 1}, "BATCH")
    assert spark["entryPoint"] == "s3://artifacts/clickstream/0.1.0/main.py"
    job_id = f"clickstream-my-shop-{token[:12]}"
    run = ["run", "--config", deployment.config_uri, "--json", "--metrics", "--job-id", job_id, "--batch-bytes", "1024000000"]
    assert spark["entryPointArguments"] == run
    monitoring = request["configurationOverrides"]["monitoringConfiguration"]
    assert monitoring["s3MonitoringConfiguration"] == {"logUri": "s3://logs/job/"}
    assert monitoring["cloudWatchLoggingConfiguration"]["logGroupName"] == "/clickstream/job"
    assert (
        settings(request).items()
        >= {
            "spark.driver.cores": "2",
            "spark.driver.memory": "2g",
            "spark.driver.memoryOverhead": "6g",
            "spark.executor.cores": "4",
            "spark.executor.memory": "2g",
            "spark.executor.memoryOverhead": "10g",
            "spark.emr-serverless.executor.disk": "20g",
            "spark.executor.instances": "1",
            "spark.dynamicAllocation.maxExecutors": "1",
            "spark.sql.shuffle.partitions": "4",
            "spark.default.parallelism": "4",
            "spark.executor.maxNumFailures": "64",
            "spark.ssl.internode.enabled": "true",
            "spark.archives": "s3://artifacts/clickstream/0.1.0/environment.tar.gz#environment",
            "spark.emr-serverless.driverEnv.PYTHONPATH": "./environment",
            "spark.executorEnv.PYTHONPATH": "./environment",
        }.items()
    )


def test_a_jvm_that_has_a_collector_already_starts_with_our_options(
    emr: EmrServerless, deployment: Deployment, tmp_path: Path
) -> None:
    raw(tmp_path)
    submit(deployment, {})
    [defaults] = emr.requests[0]["configurationOverrides"]["applicationConfiguration"]
    assert defaults["classification"] == "spark-defaults"
    ensure_java()
    for role in ("driver", "executor"):
        ours = shlex.split(defaults["properties"][f"spark.{role}.extraJavaOptions"])
        for collector in ("Parallel", "G1", "Z", "Shenandoah"):  # what EMR's own defaults may have, before ours
            command = [str(found_java()), f"-XX:+Use{collector}GC", "-XX:OnOutOfMemoryError=kill -9 %p", *ours]
            done = subprocess.run([*command, "-XX:+PrintFlagsFinal", "-version"], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert re.search(r"UseSerialGC +:?= true", done.stdout)
            assert "kill -9 %p" in done.stdout


@pytest.mark.parametrize("named", [{"AWS_REGION": "eu-south-1"}, {}], ids=["the Lambda's", "boto3's own"])
@pytest.mark.parametrize("section", [{}, {"region": "us-west-2"}], ids=["", "another one of the data"])
def test_every_worker_is_told_its_region(
    named: dict[str, str],
    section: dict[str, str],
    emr: EmrServerless,
    deployment: Deployment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """pyarrow would take us-east-1, deltalake and boto3 another one, and each would ask a metadata service that is not there."""
    monkeypatch.delenv("AWS_REGION", raising=False)
    raw(tmp_path)
    configure(deployment, s3=section)
    submit(deployment.model_copy(update={"region": named.get("AWS_REGION")}), {})
    region = named.get("AWS_REGION", "eu-west-1")
    told = settings(emr.requests[0])
    for worker in ("spark.emr-serverless.driverEnv", "spark.executorEnv"):
        variables = {
            name.removeprefix(f"{worker}.AWS_"): value for name, value in told.items() if name.startswith(f"{worker}.AWS_")
        }
        assert variables == {"REGION": region, "DEFAULT_REGION": region, "EC2_METADATA_DISABLED": "true"}
    assert told["spark.hadoop.fs.s3a.endpoint.region"] == section.get("region", region)
    assert Deployment.from_environment(ENVIRONMENT | named).region == named.get("AWS_REGION")


def settings(request: dict[str, Any]) -> dict[str, str]:
    words = shlex.split(request["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"])
    return dict(each.split("=", 1) for each in words if each != "--conf")


def test_a_bound_of_the_configuration_is_left_alone(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    text = CONFIG.format(tmp_path).replace("/raw}", "/raw, max_files_per_batch: 7}")
    Path(deployment.config_uri).write_text(text)
    raw(tmp_path)
    submit(deployment, {})
    assert "--batch-bytes" not in emr.requests[0]["jobDriver"]["sparkSubmit"]["entryPointArguments"]


@pytest.mark.parametrize("state", ACTIVE)
def test_an_active_run_of_this_pipeline_is_waited_for(
    state: str, emr: EmrServerless, deployment: Deployment, tmp_path: Path
) -> None:
    raw(tmp_path)
    submit(deployment, {})
    emr.end(state)
    done = submit(deployment, {})
    assert (describe_decision(done.decision)["active_run"], done.job_run_id, len(emr.requests)) == ("run-1", None, 1)


def test_active_and_ended_are_all_states_of_the_api() -> None:
    shape = boto3.client("emr-serverless", region_name="eu-west-1").meta.service_model.shape_for("JobRunState")
    assert sorted(ACTIVE + ENDED) == sorted(shape.enum)


@pytest.mark.parametrize("state", ENDED)
def test_the_next_run_is_another_one(state: str, emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    raw(tmp_path)
    tokens = []
    for number in range(4):  # more runs than a page holds
        assert submit(deployment, {}).job_run_id == f"run-{number + 1}"
        emr.end(state)
        tokens.append(emr.requests[-1]["clientToken"])
    assert len(set(tokens)) == 4


def test_the_token_is_that_of_the_work() -> None:
    tokens = [client_token("work", None), client_token("work", "run-1"), client_token("other", "run-1")]
    assert len(set(tokens)) == 3
    assert client_token("work", "run-1") == tokens[1]
    assert all(len(token) == 64 and token.isalnum() for token in tokens)  # what the API takes


def test_two_triggers_at_once_start_one_run(
    emr: EmrServerless, deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have looked for active runs before one of them starts its own: the token makes the second a repetition."""
    raw(tmp_path)
    meet, start = Barrier(2), Runs.start
    monkeypatch.setattr(Runs, "start", lambda runs, request: (meet.wait(60), start(runs, request))[1])
    with ThreadPoolExecutor(2) as both:
        done = list(both.map(lambda _: submit(deployment, {}).job_run_id, range(2)))
    assert (done, len(emr.requests), len(emr.runs)) == (["run-1", "run-1"], 2, 1)


def test_a_run_that_began_while_we_looked_is_waited_for(
    emr: EmrServerless, deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw(tmp_path)
    request = submit(deployment, {}, dry_run=True).decision.request
    assert request is not None
    look = decide_module.survey
    monkeypatch.setattr(decide_module, "survey", lambda *args: (emr.start("00f1abcdefgh", request), look(*args))[1])
    assert describe_decision(submit(deployment, {}).decision)["active_run"] == "run-1"


def test_runs_of_other_pipelines_are_none_of_ours(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    raw(tmp_path)
    for number in range(5):
        emr.start("00f1abcdefgh", {"name": "clickstream-other", "executionRoleArn": "arn:x", "clientToken": str(number)})
    assert submit(deployment, {}).job_run_id == "run-6"


def test_no_clock_decides(emr: EmrServerless, deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw(tmp_path)
    first = submit(deployment, {}, dry_run=True).decision.request
    os.utime(tmp_path / "raw/year=2026/month=05/a.gz", (0, 0))
    monkeypatch.setattr(time, "time", lambda: 0.0)
    later = submit(deployment, {"scheduled_time": "2040-01-01T00:00:00Z"}, dry_run=True).decision.request
    assert first == later


def test_throttled_calls_are_repeated(
    emr: EmrServerless, deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    raw(tmp_path)
    emr.failures += [(429, "ThrottlingException"), (500, "InternalServerException")]
    assert submit(deployment, {}).job_run_id == "run-1"


def test_a_configuration_that_is_not_there(emr: EmrServerless, deployment: Deployment) -> None:
    Path(deployment.config_uri).unlink()
    with pytest.raises(ConfigError, match=r"pipeline.yaml: cannot be read"):
        submit(deployment, {})


def test_the_configuration_of_another_pipeline_is_refused(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    """Its metrics would have a dimension that no alarm of the stack looks at."""
    raw(tmp_path)
    with pytest.raises(ConfigError, match="project_id is my shop, ProjectId of the stack is demo"):
        submit(deployment.model_copy(update={"project_id": "demo"}), {})
    assert not emr.requests
    assert submit(deployment.model_copy(update={"project_id": "my shop"}), {}).job_run_id == "run-1"


def test_a_dry_run_starts_nothing(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    raw(tmp_path)
    done = submit(deployment, {}, dry_run=True)
    assert done.decision.request is not None
    assert (done.job_run_id, emr.requests) == (None, [])


def test_from_a_laptop(emr: EmrServerless, deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw(tmp_path)
    where = ["--application-id", "00f1abcdefgh", "--job-role-arn", deployment.job_role_arn, "--package", deployment.package_uri]
    where += ["--log-group", "/clickstream/job", "--kms-key-arn", "arn:aws:kms:eu-west-1:123456789012:key/1"]
    app(["submit", "--config", deployment.config_uri, *where, "--dry-run", "--json"], result_action="return_value")
    shown = json.loads(capsys.readouterr().out)
    assert (shown["decision"], shown["files"], shown["executors"], emr.requests) == ("submit", 1, 1, [])
    app(["submit", "--config", deployment.config_uri, *where, "--json"], result_action="return_value")
    assert json.loads(capsys.readouterr().out)["job_run_id"] == "run-1"
    [started] = emr.requests
    assert {**shown["request"], "jobDriver": started["jobDriver"]} == {**started, "applicationId": "00f1abcdefgh"}
    monitoring = started["configurationOverrides"]["monitoringConfiguration"]
    assert monitoring["cloudWatchLoggingConfiguration"]["logGroupName"] == "/clickstream/job"
    assert monitoring["managedPersistenceMonitoringConfiguration"]["encryptionKeyArn"].endswith("key/1")


@pytest.mark.parametrize(
    ("stored", "over", "executors"),
    [
        (10, {}, 1),
        (GB, {}, 1),
        (20 * GB, {}, 7),
        (2000 * GB, {}, 16),
        (20 * GB, {"sizing": {"max_vcpu": 8}}, 2),
        (20 * GB, {"sizing": {"target_minutes": 60}}, 2),
        (20 * GB, {"executor": {"vcpu": 16, "memory_gb": 32}}, 2),
        (20 * GB, {"sizing": {"driver_seconds_per_decoded_gb": 3, "target_minutes": 1}}, 7),  # more would wait for the driver
        (10, {"sizing": {"min_vcpu": 32}}, 8),
        (10, {"sizing": {"target_minutes": 1}}, 1),  # not to be met, by no number of executors
        (10, {"sizing": {"max_vcpu": 2, "min_vcpu": 1}}, 1),  # less than a worker has
    ],
)
def test_size(
    stored: int, over: dict[str, Any], executors: int, emr: EmrServerless, deployment: Deployment, tmp_path: Path
) -> None:
    raw(tmp_path, size=stored)
    configure(deployment, emr={"sizing": {"compression_ratio": 10}} | over)
    done = submit(deployment, {})
    assert done.decision.plan is not None
    assert done.decision.plan.executors == executors
    assert settings(emr.requests[0])["spark.executor.instances"] == str(executors)


def test_minutes_and_dollars() -> None:
    price = {"vcpu_hour": 0.04, "gb_hour": 0.004, "disk_gb_hour": 0.0001}
    sizing = {
        "start_seconds": 100,
        "fixed_vcpu_seconds": 40,
        "decoded_mb_per_vcpu_second": 10,
        "target_minutes": 10,
        "driver_seconds_per_decoded_gb": 5,
        "driver_seconds_per_batch": 3,
        "users_per_vcpu_second": 100_000,
    }
    worker = {"vcpu": 4, "memory_gb": 10, "disk_gb": 30}
    emr = EmrSection.model_validate({"price": price, "sizing": sizing, "driver": {"vcpu": 2, "memory_gb": 5}, "executor": worker})
    plan = plan_for(emr, GB, 4)
    # 40 + 4000 MB / 10 = 440 vCPU-seconds on 4 vCPU = 110 s, after 100 s of start, 4 GB * 5 s of the driver, and 3 s for each of four
    # micro-batches: one, and three for 308 MB of events. 1,000 MB are 7.8 tasks a processor: it waits 0.75 of one at the end.
    seconds = 100 + 110 + 20 + 12 + 0.75 * 100 / 7.8125
    assert (plan.executors, plan.minutes * 60) == (1, pytest.approx(seconds))
    driver, executor = 2 * 0.04 + 5 * 0.004, 4 * 0.04 + 10 * 0.004 + 10 * 0.0001
    assert plan.dollars == pytest.approx(seconds / 3600 * (driver + executor))
    short = emr.model_copy(update={"sizing": emr.sizing.model_copy(update={"start_seconds": 1, "fixed_vcpu_seconds": 1})})
    assert plan_for(short, 0, 4).dollars == pytest.approx(60 / 3600 * (driver + executor))  # a minute is billed at least
    # 1,000,000 stored users, each written in each of the three: 30 vCPU-seconds more, and the wait for the last of as many tasks.
    assert plan_for(emr, GB, 4, users=1_000_000).minutes * 60 == pytest.approx(seconds + 30 / 4 + 0.75 * 30 / 4)


def test_counting_further_than_enough_would_change_nothing() -> None:
    emr = EmrSection()
    enough = int(enough_bytes(emr, 10))
    most = plan_for(emr, enough, 10).executors
    assert {plan_for(emr, times * enough, 10).executors for times in (1, 2, 100, 10_000)} == {most}
    assert plan_for(emr, enough // 2, 10).executors < most


def test_a_large_backlog_is_not_counted_to_its_end(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    for number in range(20):
        raw(tmp_path, f"{number:02}.gz", size=200 * GB)
    shown = describe_decision(submit(deployment, {}).decision)
    assert (shown["files"], shown["counted_all"], shown["vcpu"]) == (1, False, 64)


def test_the_ratio_is_that_of_the_last_batches(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    pipeline = LocalPipeline(tmp_path)
    files = [write(tmp_path / "raw", f"{name}.gz", line(event(name), pad="x" * 10_000)) for name in "ab"]
    for file in files:
        pipeline.ingest(file)
    Path(deployment.config_uri).write_text(CONFIG.format(tmp_path).replace("{compression_ratio: 10}", "{}"))
    ratio = submit(deployment, {}).decision.ratio
    decoded = sum(row["decoded_bytes"] for row in pipeline.rows("run_metrics"))
    assert ratio == pytest.approx(decoded / sum(file.stat().st_size for file in files))
    assert ratio > 10


SCHEDULED = {"scheduled_time": "2030-01-01T00:00:00Z"}
EVENT_BRIDGE = {
    "version": "0",
    "id": "53dc4d37",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2030-01-01T00:00:00Z",
    "region": "eu-west-1",
    "resources": ["arn:aws:events:::rule/a"],
    "detail": {"emr": 1},
}
ACCEPTED: dict[str, tuple[Any, dict[str, Any]]] = {
    "nothing": ({}, {}),
    "a schedule": (SCHEDULED, {}),
    "EventBridge's own": (EVENT_BRIDGE, {}),
    "sizing": ({"emr": {"sizing": {"min_vcpu": 8, "max_vcpu": 16}}}, {"sizing": {"min_vcpu": 8, "max_vcpu": 16}}),
    "all that a stack has": ({"emr": {"sizing": {"max_vcpu": 78}}}, {"sizing": {"max_vcpu": 78}}),
    "minutes and attempts": ({"emr": {"timeout_minutes": 30, "attempts": 2}}, {"timeout_minutes": 30, "attempts": 2}),
}


@pytest.mark.parametrize(("given", "over"), ACCEPTED.values(), ids=ACCEPTED)
def test_what_an_event_may_say(
    given: Any, over: dict[str, Any], emr: EmrServerless, deployment: Deployment, tmp_path: Path
) -> None:
    """As much as the same in the configuration, and for this run."""
    raw(tmp_path, size=20 * GB)
    stack = deployment.model_copy(update={"maximum_vcpu": 80})
    by_event = submit(stack, given, dry_run=True).decision.request
    sizing = {"compression_ratio": 10} | over.get("sizing", {})
    configure(deployment, emr={"tags": {"team": "web"}, "timeout_minutes": 60} | over | {"sizing": sizing})
    assert by_event == submit(stack, {}, dry_run=True).decision.request


CODE = "s3://elsewhere/code.jar"
REFUSED: dict[str, tuple[Any, tuple[str, ...]]] = {
    "settings": ({"emr": {"spark_conf": {"spark.jars": CODE}}}, ("emr.spark_conf: an event may not set it",)),
    "no settings": ({"emr": {"spark_conf": {}}}, ("emr.spark_conf: an event may not set it",)),
    "jars": ({"emr": {"delta_jars": [CODE]}}, ("emr.delta_jars: an event may not",)),
    "an interpreter": ({"emr": {"python": CODE}}, ("emr.python: an event may not",)),
    "workers": ({"emr": {"driver": {"vcpu": 16}, "executor": None}}, ("emr.driver: an event", "emr.executor: an event")),
    "tags and prices": (
        {"emr": {"tags": {"a": "b"}, "price": {}}},
        ("emr.tags: an event may not", "emr.price: an event may not"),
    ),
    "what is no key": ({"emr": {"Python": CODE, "": 1}}, ("emr.Python: an event may not", "emr.: an event may not")),
    "what no terminal should get": ({"emr": {"a\x1b[2J": 1}, "b\u202e": 1}, (r"emr.'a\x1b[2J': an event", r"'b\u202e': unknown")),
    "very much": ({str(number) * 500: 1 for number in range(500)}, ("unknown key",)),
    "sections": ({"spark": {"conf": {"spark.jars": CODE}}, "apps": {}}, ("spark: unknown key", "apps: unknown key")),
    "a configuration": ({"config": CODE, "package_uri": CODE}, ("config: unknown key", "package_uri: unknown key")),
    "a mistyped key": ({"dryrun": True}, ("dryrun: unknown key, did you mean 'dry_run'?",)),
    "a mistyped size": ({"emr": {"sizing": {"max_cpu": 8}}}, ("emr.sizing.max_cpu: unknown key, did you mean 'max_vcpu'?",)),
    "sizes that contradict": ({"emr": {"sizing": {"min_vcpu": 70}}}, ("min_vcpu: must not be above max_vcpu",)),
    "more than the stack has": ({"emr": {"sizing": {"max_vcpu": 79}}}, ("emr.sizing.max_vcpu: MaximumVcpu of the stack is 80",)),
    "all of it more": (
        {"emr": {"sizing": {"min_vcpu": 500, "max_vcpu": 10**9}}},
        ("emr.sizing.min_vcpu: MaximumVcpu", "emr.sizing.max_vcpu: MaximumVcpu"),
    ),
    "no sizing": ({"emr": {"sizing": [["max_vcpu", 8]]}}, ("emr.sizing: ",)),
    "endless": ({"emr": {"timeout_minutes": 0, "attempts": 11}}, ("emr.timeout_minutes: ", "emr.attempts: ")),
    "no number": ({"emr": {"sizing": {"target_minutes": float("nan")}}}, ("emr.sizing.target_minutes: ",)),
    "no section": ({"emr": CODE}, ("emr: ",)),
    "a list": ({"emr": [{"python": CODE}]}, ("emr: ",)),
    "no object": ([{"emr": {}}], ("event: ",)),
    "text": ("emr", ("event: ",)),
    "a time of no zone": ({"time": "2030-01-01T00:00:00", "scheduled_time": "soon"}, ("time: ", "scheduled_time: ")),
    "all at once": (
        {"emr": {"python": CODE, "attempts": 0}, "apps": {}, "dry_run": 7},
        ("emr.python: ", "emr.attempts: ", "apps: ", "dry_run: "),
    ),
}


@pytest.mark.parametrize(("given", "says"), REFUSED.values(), ids=REFUSED)
def test_what_an_event_may_not_say(
    given: Any, says: tuple[str, ...], emr: EmrServerless, deployment: Deployment, tmp_path: Path
) -> None:
    """Whoever may invoke the Lambda does not choose what runs: each key is refused by name, and nothing starts."""
    raw(tmp_path)
    with pytest.raises(ConfigError) as raised:
        submit(deployment.model_copy(update={"maximum_vcpu": 80}), given)
    assert [each for each in says if each not in str(raised.value)] == []
    assert len(str(raised.value)) < 10_000
    assert not emr.requests


def test_every_key_of_emr_is_refused_or_may_be_set(deployment: Deployment, emr: EmrServerless) -> None:
    """A key that a later version adds is refused until it is allowed."""
    section = EmrSection().model_dump()
    for key, value in section.items():
        try:
            submit(deployment, {"emr": {key: value}})
            allowed = True
        except ConfigError:
            allowed = False
        assert allowed == (key in OVERRIDABLE), key


def test_a_dry_run_by_event(
    emr: EmrServerless,
    deployment: Deployment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    raw(tmp_path)
    names = {field: each.alias for field, each in Deployment.model_fields.items()}
    for field, value in deployment.model_dump(exclude_none=True).items():
        monkeypatch.setenv(str(names[field]), str(value))
    context = SimpleNamespace(function_name="s", memory_limit_in_mb=1, invoked_function_arn="arn:s", aws_request_id="r")
    shown = handler({"dry_run": True}, context)
    assert (shown["decision"], shown["dry_run"], shown["job_run_id"], emr.requests) == ("submit", True, None, [])
    assert "_aws" not in capsys.readouterr().out  # an alarm must not take it for a run
    assert handler({"dry_run": False}, context)["job_run_id"] == "run-1"
    assert "_aws" in capsys.readouterr().out


def test_hardening_of_a_run(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    """botocore checks the requests against the service's own model."""
    raw(tmp_path)
    submit(deployment, {})
    assert "flexExecution" not in emr.requests[0]
    assert "diskEncryptionConfiguration" not in emr.requests[0]["configurationOverrides"]
    emr.end()
    configure(deployment, emr={"flex": {"enabled": True, "discount": 0.5}})
    key = "arn:aws:kms:eu-west-1:123456789012:key/1"
    cheaper = submit(deployment.model_copy(update={"kms_key_arn": key}), {}).decision.plan
    request = emr.requests[1]
    assert request["flexExecution"] == {"enabled": True}
    assert request["configurationOverrides"]["diskEncryptionConfiguration"] == {"encryptionKeyArn": key}
    full = plan_for(EmrSection(), 10, 10)
    assert cheaper is not None
    executors = full.executors * worker_dollars(EmrSection(), EmrSection().executor, full.minutes * 60)
    assert cheaper.dollars == pytest.approx(full.dollars - executors / 2)


NIGHT = {"command": "maintain", "scheduled_time": "2030-01-01T02:30:00Z"}


def test_maintenance_is_started_once_a_night(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    """Beside an active run, where EMR queues it; and the next run waits for it."""
    raw(tmp_path)
    submit(deployment, {})
    done = submit(deployment, NIGHT)
    assert (done.job_run_id, describe_decision(done.decision)["decision"]) == ("run-2", "submit")
    emr.end("QUEUED")
    assert submit(deployment, NIGHT).job_run_id == "run-2", "the schedule says everything at least once"
    request = emr.requests[1]
    arguments = request["jobDriver"]["sparkSubmit"]["entryPointArguments"]
    job_id = f"clickstream-my-shop-{request['clientToken'][:12]}"
    assert arguments == ["maintain", "--config", deployment.config_uri, "--json", "--job-id", job_id]
    assert settings(request)["spark.executor.instances"] == "1"
    emr.runs[0]["state"] = "SUCCESS"
    assert describe_decision(submit(deployment, {}).decision)["active_run"] == "run-2"
    emr.end()
    assert submit(deployment, NIGHT | {"scheduled_time": "2030-01-02T02:30:00Z"}).job_run_id == "run-3"
    emr.end()
    by_hand = [submit(deployment, {"command": "maintain"}).job_run_id for _ in range(2) if not emr.end()]
    assert by_hand == ["run-4", "run-5"]


def test_an_event_names_no_other_command(emr: EmrServerless, deployment: Deployment) -> None:
    with pytest.raises(ConfigError, match="command: "):
        submit(deployment, {"command": "erase --user-id a"})
    assert not emr.requests


def test_a_setting_with_a_blank_is_refused(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    raw(tmp_path)
    configure(deployment, emr={"spark_conf": {"spark.driver.extraJavaOptions": "-Xss4m -Xmx1g"}})
    with pytest.raises(ConfigError, match="splits settings at blanks"):
        submit(deployment, {})


def test_missing_variables_are_named_together() -> None:
    with pytest.raises(ConfigError, match="missing: CLICKSTREAM_CONFIG, CLICKSTREAM_JOB_ROLE_ARN"):
        Deployment.from_environment({"CLICKSTREAM_APPLICATION_ID": "a", "CLICKSTREAM_PACKAGE": "p", "CLICKSTREAM_CONFIG": ""})


def test_errors_of_the_service_are_raised(emr: EmrServerless, deployment: Deployment) -> None:
    emr.failures.append((403, "AccessDeniedException"))
    with pytest.raises(ClickstreamError, match=r"EMR Serverless: .*AccessDenied"):
        submit(deployment, {})


def test_what_is_measured(emr: EmrServerless, deployment: Deployment, tmp_path: Path) -> None:
    raw(tmp_path)
    oldest = int((tmp_path / "raw/year=2026/month=05/a.gz").stat().st_mtime)
    decision = submit(deployment, {}).decision
    values = {name: value for name, _, value in decision_metrics(decision, 1_893_456_000)}
    assert values.keys() == SUBMITTER_METRICS.keys()
    assert (values["Submitted"], values["UnprocessedFiles"], values["UnprocessedBytes"]) == (1, 1, 10)
    assert values["ActiveRunMinutes"] == 0, "an alarm on a hung run ends when there is none"
    assert values["BacklogAgeSeconds"] == pytest.approx(1_893_456_000 - oldest, abs=1)
    assert "BacklogAgeSeconds" not in {name for name, _, _ in decision_metrics(decision, None)}
    waiting = submit(deployment, {}).decision
    met = {name: value for name, _, value in decision_metrics(waiting, 1_893_456_000)}
    assert met == {"Submitted": 0, "ActiveRunMinutes": pytest.approx((1_893_456_000 - emr.runs[0]["createdAt"]) / 60)}
    assert json.dumps(describe_decision(waiting))


@pytest.mark.parametrize(
    ("then", "action"),
    [("renewed", "an operator's command works on the tables"), ("released", "submit"), ("left by the dead", "submit")],
)
def test_an_operators_command_is_waited_for(
    then: str, action: str, emr: EmrServerless, deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "raw", "a.gz", line(event("a")))
    slot = LocalConditionalObject(tmp_path / "lake/_lease.json")
    holder = Holder("id", "reprocess", "2026-11-23T04:00:00Z", "laptop", 1, 0.0, 60.0)
    changes = {"renewed": {"renewals": 1}, "released": {"released": True}, "left by the dead": {}}[then]
    version = slot.compare_and_swap(msgspec.json.encode(holder).decode(), None)
    waited = []

    def meanwhile(seconds: float) -> None:
        waited.append(seconds)
        slot.compare_and_swap(msgspec.json.encode(msgspec.structs.replace(holder, **changes)).decode(), version)

    monkeypatch.setattr(in_use, "pause", meanwhile)
    done = submit(deployment, {})
    assert describe_decision(done.decision, done.job_run_id)["decision"] == action
    assert waited == [20.0]
    assert (done.decision.active_run or "").startswith("reprocess since") == (then == "renewed")
    assert len(emr.runs) == (then != "renewed")
