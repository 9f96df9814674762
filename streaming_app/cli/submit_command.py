"""``clickstream submit``: the submitter's decision, from a laptop, and operators' commands on the cluster."""

from __future__ import annotations

import json as json_module
from typing import Annotated

from cyclopts import Parameter

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption
from streaming_app.cli.terminal import console, say_json_text
from submitter.decision_report import describe_decision
from submitter.deployment import Deployment
from submitter.operate import operate, wait_for_end
from submitter.submit import submit as submit_run


def submit(
    *command: Annotated[str, Parameter(allow_leading_hyphen=True, help="a command to start in place of a run, and its options")],
    config: ConfigOption = DEFAULT_CONFIG,
    application_id: Annotated[str, Parameter(env_var="CLICKSTREAM_APPLICATION_ID", help="of EMR Serverless")],
    job_role_arn: Annotated[str, Parameter(env_var="CLICKSTREAM_JOB_ROLE_ARN", help="role that the job runs as")],
    package: Annotated[str, Parameter(env_var="CLICKSTREAM_PACKAGE", help="where main.py and environment.tar.gz are, on S3")],
    log_uri: Annotated[str | None, Parameter(env_var="CLICKSTREAM_LOG_URI", help="where the job's logs go, on S3")] = None,
    log_group: Annotated[str | None, Parameter(env_var="CLICKSTREAM_LOG_GROUP", help="CloudWatch log group of the job")] = None,
    kms_key_arn: Annotated[str | None, Parameter(env_var="CLICKSTREAM_KMS_KEY_ARN", help="key of the logs")] = None,
    wait: Annotated[bool, Parameter(negative="", help="follow the job until it has ended; fails where it failed")] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="decide and show the request, start nothing")] = False,
    json: Annotated[bool, Parameter(negative="", help="one JSON line")] = False,
) -> None:
    """Look for unprocessed files and start a run on EMR Serverless, or say why not: what the Lambda does on its schedule.

    With a command, start that instead: backfill, reprocess, replay, rebuild, erase, optimize, vacuum, maintain or tables check.
    Its size, and what it costs at least, are told first. Where a run is active, it waits in the queue of EMR Serverless.

    Example: clickstream submit --config s3://my-bucket/pipeline.yaml --wait backfill --from 2026-11-01 --to 2026-11-03
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
    if command:
        _check_command(command, config)
        done = operate(deployment, command, _tell, dry_run=dry_run)
    else:
        submitted = submit_run(deployment, {}, dry_run=dry_run)
        done = submitted.decision, submitted.job_run_id
    decision, job_run_id = done
    shown = describe_decision(decision, job_run_id)
    if dry_run:
        shown["request"] = decision.request
    if wait and job_run_id:
        shown |= wait_for_end(deployment, job_run_id, _tell)
    say_json_text(json_module.dumps(shown, indent=None if json else 2))


def _tell(text: str) -> None:
    console(stderr=True, soft_wrap=True, highlight=False).print(text, markup=False)


def _check_command(command: tuple[str, ...], config: str) -> None:
    """What is wrong with its options shows here, and not in a log in ten minutes."""
    from streaming_app.cli import app  # noqa: PLC0415 - which has this command, too

    app.parse_args([*command, "--config", config], exit_on_error=False, print_error=True)
