"""Building the StartJobRun request of a run from configuration, deployment and plan."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from streaming_app.config.emr import WorkerSection
from streaming_app.config.java_options import EMR_JVM
from streaming_app.config.model import Config
from streaming_app.errors import ConfigError
from submitter.deployment import Deployment
from submitter.sizing import Plan

JobRunRequest = dict[str, Any]

ENVIRONMENT = "./environment"
"""Where EMR unpacks the packaged libraries, in the working directory of the driver and of each executor."""

_JVM_DEFAULTS = {f"spark.{role}.extraJavaOptions": EMR_JVM for role in ("driver", "executor")}
"""Settings whose values have blanks, at which EMR Serverless splits those of spark-submit; the latter are stronger.
Source: its user guide, "Spark configuration override parameter"."""


def job_name(config: Config) -> str:
    """The name of all runs of a pipeline, by which they are recognised."""
    return re.sub(r"[^A-Za-z0-9._/#-]", "-", f"clickstream-{config.project_id}")


def client_token(identity: str, last_run: str | None) -> str:
    """The idempotency token: equal for the same work after the same run, so that a repeated trigger starts one job only."""
    return sha256(f"{identity} {last_run}".encode()).hexdigest()


def process_arguments(config: Config, deployment: Deployment, plan: Plan, token: str) -> list[str]:
    """The command line of a run."""
    arguments = ["run", "--config", deployment.config_uri, "--json", "--metrics", "--job-id", job_id(config, token)]
    if config.source.max_files_per_batch is None and config.source.max_bytes_per_batch is None:
        arguments += ["--batch-bytes", str(plan.batch_bytes)]
    return arguments


def maintain_arguments(config: Config, deployment: Deployment, token: str) -> list[str]:
    """The command line of the maintenance."""
    return ["maintain", "--config", deployment.config_uri, "--json", "--job-id", job_id(config, token)]


def job_id(config: Config, token: str) -> str:
    """The name of one run in logs and tables."""
    return f"{job_name(config)}-{token[:12]}"


def start_job_run(config: Config, deployment: Deployment, plan: Plan, token: str, arguments: list[str]) -> JobRunRequest:
    """All parameters of ``start_job_run``; ``arguments`` are those of the command line."""
    name, run_id = job_name(config), job_id(config, token)
    emr = config.emr
    return {
        "applicationId": deployment.application_id,
        "executionRoleArn": deployment.job_role_arn,
        "clientToken": token,
        "name": name,
        "mode": "BATCH",
        "jobDriver": {
            "sparkSubmit": {
                "entryPoint": f"{deployment.package_uri.rstrip('/')}/main.py",
                "entryPointArguments": arguments,
                "sparkSubmitParameters": _as_text(spark_settings(config, deployment, plan)),
            }
        },
        "configurationOverrides": {
            "applicationConfiguration": [{"classification": "spark-defaults", "properties": dict(_JVM_DEFAULTS)}],
            "monitoringConfiguration": _monitoring(deployment, run_id),
            **_disk_encryption(deployment),
        },
        **({"flexExecution": {"enabled": True}} if emr.flex.enabled else {}),
        "executionTimeoutMinutes": emr.timeout_minutes,
        "retryPolicy": {"maxAttempts": emr.attempts},
        "tags": {"clickstream:pipeline": config.project_id, **emr.tags},
    }


def spark_settings(config: Config, deployment: Deployment, plan: Plan) -> dict[str, str]:
    """The settings of spark-submit, the configuration's own ones last."""
    emr = config.emr
    variables = {"PYSPARK_PYTHON": emr.python, "PYTHONPATH": ENVIRONMENT, **_aws_variables(deployment.region)}
    region = config.s3.region or deployment.region
    return {
        **_worker("driver", emr.driver),
        **_worker("executor", emr.executor),
        "spark.executor.instances": str(plan.executors),
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.initialExecutors": str(plan.executors),
        # EMR's own bound is infinity.
        "spark.dynamicAllocation.maxExecutors": str(plan.executors),
        "spark.sql.shuffle.partitions": str(plan.vcpu),
        # A file that kills executors is found by trials: cluster managers that count lost ones would end the run after three.
        "spark.executor.maxNumFailures": "64",
        # Otherwise the first query has as many tasks as the executors that have registered by then have cores.
        "spark.default.parallelism": str(plan.vcpu),
        # Workers of a run know one another by certificates that EMR Serverless makes. Source: its user guide, "Inter-worker
        # encryption".
        "spark.ssl.internode.enabled": "true",
        # EMR has its own jars of Spark and Delta: none of ours are brought along.
        "spark.jars": ",".join(emr.delta_jars),
        "spark.archives": f"{deployment.package_uri.rstrip('/')}/environment.tar.gz#environment",
        "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON": emr.python,
        **{f"spark.emr-serverless.driverEnv.{name}": value for name, value in variables.items()},
        **{f"spark.executorEnv.{name}": value for name, value in variables.items()},
        **({"spark.hadoop.fs.s3a.endpoint.region": region} if region else {}),
        **emr.spark_conf,
    }


def _aws_variables(region: str | None) -> dict[str, str]:
    """The environment by which boto3, pyarrow and deltalake find the same region, and none asks for it.

    Without it pyarrow takes us-east-1, which a job without a VPC may not reach, and deltalake asks the metadata service of a
    machine, which a worker has not.
    """
    named = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region} if region else {}
    return named | {"AWS_EC2_METADATA_DISABLED": "true"}


def _worker(role: str, worker: WorkerSection) -> dict[str, str]:
    """A worker's memory is the JVM's and what is beyond: there Python works, and 10 % would not do."""
    return {
        f"spark.{role}.cores": str(worker.vcpu),
        f"spark.{role}.memory": f"{worker.jvm_memory_gb}g",
        f"spark.{role}.memoryOverhead": f"{worker.memory_gb - worker.jvm_memory_gb}g",
        f"spark.emr-serverless.{role}.disk": f"{worker.disk_gb}g",
    }


def _as_text(settings: dict[str, str]) -> str:
    for key, value in settings.items():
        if re.search(r"\s", f"{key}{value}"):
            raise ConfigError(f"emr.spark_conf: {key}: EMR Serverless splits settings at blanks", "put it into spark.conf")
    return " ".join(f"--conf {key}={value}" for key, value in settings.items())


def _disk_encryption(deployment: Deployment) -> dict[str, Any]:
    """The disks of workers, which hold parts of raw files, are encrypted by the key of the stack, else by EMR's own."""
    key = deployment.kms_key_arn
    return {"diskEncryptionConfiguration": {"encryptionKeyArn": key}} if key else {}


def _monitoring(deployment: Deployment, run_id: str) -> dict[str, Any]:
    """Logs go where the stack says; the run's metrics are a line of the driver's output, which CloudWatch reads."""
    # A log group has its own key; a role that names one here would need more rights on it.
    key = {"encryptionKeyArn": deployment.kms_key_arn} if deployment.kms_key_arn else {}
    monitoring: dict[str, Any] = {"managedPersistenceMonitoringConfiguration": {"enabled": True, **key}}
    if deployment.log_uri:
        monitoring["s3MonitoringConfiguration"] = {"logUri": deployment.log_uri, **key}
    if deployment.log_group:
        monitoring["cloudWatchLoggingConfiguration"] = {
            "enabled": True,
            "logGroupName": deployment.log_group,
            "logStreamNamePrefix": run_id,
            "logTypes": {"SPARK_DRIVER": ["STDOUT", "STDERR"]},
        }
    return monitoring
