"""``clickstream submit``: the submitter's decision, from a laptop."""

from __future__ import annotations

import json as json_module
from typing import Annotated

from cyclopts import Parameter

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption
from streaming_app.cli.terminal import say_json_text
from submitter.decision_report import describe_decision
from submitter.deployment import Deployment
from submitter.submit import submit as submit_run


def submit(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    application_id: Annotated[str, Parameter(env_var="CLICKSTREAM_APPLICATION_ID", help="of EMR Serverless")],
    job_role_arn: Annotated[str, Parameter(env_var="CLICKSTREAM_JOB_ROLE_ARN", help="role that the job runs as")],
    package: Annotated[str, Parameter(env_var="CLICKSTREAM_PACKAGE", help="where main.py and environment.tar.gz are, on S3")],
    log_uri: Annotated[str | None, Parameter(env_var="CLICKSTREAM_LOG_URI", help="where the job's logs go, on S3")] = None,
    log_group: Annotated[str | None, Parameter(env_var="CLICKSTREAM_LOG_GROUP", help="CloudWatch log group of the job")] = None,
    kms_key_arn: Annotated[str | None, Parameter(env_var="CLICKSTREAM_KMS_KEY_ARN", help="key of the logs")] = None,
    dry_run: Annotated[bool, Parameter(negative="", help="decide and show the request, start nothing")] = False,
    json: Annotated[bool, Parameter(negative="", help="one JSON line")] = False,
) -> None:
    """Look for unprocessed files and start a run on EMR Serverless, or say why not: what the Lambda does on its schedule.

    Example: clickstream submit --config s3://my-bucket/pipeline.yaml --dry-run
    """
    deployment = Deployment(
        CLICKSTREAM_CONFIG=config,
        CLICKSTREAM_APPLICATION_ID=application_id,
        CLICKSTREAM_JOB_ROLE_ARN=job_role_arn,
        CLICKSTREAM_PACKAGE=package,
        CLICKSTREAM_LOG_URI=log_uri,
        CLICKSTREAM_LOG_GROUP=log_group,
        CLICKSTREAM_KMS_KEY_ARN=kms_key_arn,
    )
    submitted = submit_run(deployment, {}, dry_run=dry_run)
    shown = describe_decision(submitted.decision, submitted.job_run_id)
    if dry_run:
        shown["request"] = submitted.decision.request
    say_json_text(json_module.dumps(shown, indent=None if json else 2))
