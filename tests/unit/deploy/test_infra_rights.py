"""The roles of the deployment may do what the code does, and nothing beyond."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.aws_calls import calls_of
from tests.support.infra import DEFAULTS, KEY, LAKE, OPTIONS, PARAMETER, RAW, ROOT, SECRET, every_option, stack
from tests.support.stack import Stack

ROLES = ("ScheduleRole", "SubmitterRole", "JobRole")
ARTIFACTS, WORK = "arn:aws:s3:::artifacts", "arn:aws:s3:::<WorkBucket>"
CONFIG = f"{ARTIFACTS}/clickstream/pipeline.yaml"
EMR = {"passedtoservice": "emr-serverless.amazonaws.com"}
Need = tuple[str, str, dict[str, str]]

CALLS: dict[tuple[str, str], list[Need]] = {
    ("s3", "get_object"): [
        ("s3:GetObject", CONFIG, {}),
        ("s3:GetObject", f"{LAKE}/lake/_checkpoints/ingest/sources/0/9.compact", {}),
        ("s3:GetObject", f"{LAKE}/lake/_lease.json", {}),
        ("s3:GetObject", f"{LAKE}/lake/event/_delta_log/00000000000000000000.json", {}),
    ],
    ("s3", "list_objects_v2"): [
        ("s3:ListBucket", RAW, {"prefix": "raw/"}),
        ("s3:ListBucket", RAW, {"prefix": "raw/year=2026/"}),
        ("s3:ListBucket", LAKE, {"prefix": "lake/_checkpoints/ingest/commits/"}),
        ("s3:ListBucket", LAKE, {"prefix": "lake/event/_delta_log/"}),
    ],
    ("emr-serverless", "get_job_run"): [],  # the right of who follows a command by clickstream submit --wait, not the Lambda's
    ("emr-serverless", "list_job_runs"): [
        ("emr-serverless:ListJobRuns", "arn:aws:emr-serverless:eu-test-1:111122223333:/applications/<Application>", {})
    ],
    ("emr-serverless", "start_job_run"): [
        ("emr-serverless:StartJobRun", "arn:aws:emr-serverless:eu-test-1:111122223333:/applications/<Application>", {}),
        (
            "emr-serverless:TagResource",
            "arn:aws:emr-serverless:eu-test-1:111122223333:/applications/<Application>/jobruns/00abc",
            {},
        ),
        ("iam:PassRole", "arn:<JobRole>", EMR),
    ],
}
"""What the submitter must be allowed, for each call of AWS's API that its code makes."""


S3_OBJECTS = ROOT / "streaming_app/storage/s3_objects.py"


def code_of_the_submitter() -> list[Path]:
    folders = ("submitter", "streaming_app/backlog")
    return [
        *(path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))),
        S3_OBJECTS,
    ]


def test_every_call_that_the_submitter_makes_is_granted() -> None:
    calls = calls_of(code_of_the_submitter())
    assert calls - set(CALLS) == set(), "calls whose rights this table does not know"
    assert ("s3", "list_objects_v2") in calls
    missing = [
        need for call in sorted(calls) for need in CALLS[call] if not DEFAULTS.allows("SubmitterRole", *need[:2], **need[2])
    ]
    assert missing == []


THE_JOBS_OWN = ROOT / "streaming_app/storage/conditional_object.py"
"""The lease is taken by conditional writes of S3, which pyarrow has not."""


THE_DOCTORS = ROOT / "streaming_app/lake/lock/identity.py"
"""Asks AWS who it is, which needs no right."""


OF_OPERATORS = ROOT / "streaming_app/deploy/glue.py"
"""Runs on an operator's machine, by the operator's rights."""
OF_SECRETS = ROOT / "streaming_app/storage/aws_secrets.py"
"""Reads what the configuration refers to, for the job alone."""


def test_the_job_may_read_the_secrets_that_the_configuration_refers_to() -> None:
    assert calls_of([OF_SECRETS]) == {("secretsmanager", "get_secret_value"), ("ssm", "get_parameter")}
    secrets = stack(**OPTIONS["secrets"])
    needs = [("secretsmanager:GetSecretValue", SECRET), ("ssm:GetParameter", PARAMETER)]
    for action, secret in needs:
        assert secrets.allows("JobRole", action, secret)
        assert not secrets.allows("JobRole", action, f"{secret}-other")
        assert not secrets.allows("SubmitterRole", action, secret)
        assert not DEFAULTS.allows("JobRole", action, secret)


def test_no_other_module_calls_aws_by_boto3() -> None:
    """The job reaches S3 by Spark, pyarrow and deltalake but for the lease; what these need is in the table below."""
    assert calls_of([THE_JOBS_OWN, S3_OBJECTS]) == {("s3", "get_object"), ("s3", "put_object"), ("s3", "list_objects_v2")}
    assert calls_of([THE_DOCTORS]) == {("sts", "get_caller_identity")}
    importing = {
        path
        for path in (ROOT / "streaming_app").rglob("*.py")
        if re.search(r"^\s*(import|from) boto3", path.read_text(), re.MULTILINE)
    }
    assert importing <= {*code_of_the_submitter(), THE_JOBS_OWN, THE_DOCTORS, OF_SECRETS, OF_OPERATORS}


JOB_MAY: list[Need] = [
    *[
        ("s3:GetObject", f"{ARTIFACTS}/clickstream/{release}/{name}", {})
        for release in ("0.1.0", "0.0.9", "0.2.0")  # one that started a run before an update, too
        for name in ("main.py", "environment.tar.gz")
    ],
    *[("s3:GetObject", f"{ARTIFACTS}/clickstream/{key}", {}) for key in ("pipeline.yaml", "reference/geo/city.mmdb")],
    *[("s3:ListBucket", bucket, {}) for bucket in (ARTIFACTS, RAW, LAKE)],  # with no prefix, so that a missing object is a 404
    ("s3:GetObject", f"{RAW}/raw", {}),  # S3A asks whether a folder is a file
    ("s3:GetObject", f"{RAW}/raw/year=2026/month=11/day=23/hour=04/a.gz", {}),
    ("s3:GetObject", f"{LAKE}/lake", {}),
    *[(f"s3:Get{name}", bucket, {}) for name in ("BucketVersioning", "LifecycleConfiguration") for bucket in (RAW, LAKE)],
    *[
        (action, f"{LAKE}/lake/{key}", {})
        for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
        for key in (
            "_lease.json",
            "_checkpoints/ingest/offsets/0",
            "event/_delta_log/00000000000000000000.json",
            "event/app_id=shop/a.parquet",
        )
    ],
    ("s3:PutObject", f"{WORK}/logs/applications/1/jobs/2/SPARK_DRIVER/stderr.gz", {}),
    ("logs:DescribeLogGroups", "arn:aws:logs:eu-test-1:111122223333:log-group::log-stream:", {}),
    *[(f"logs:{name}", "arn:<JobLogs>", {}) for name in ("DescribeLogStreams", "CreateLogStream", "PutLogEvents")],
]
REFUSED: list[tuple[str, str, str, dict[str, str]]] = [
    ("SubmitterRole", "s3:GetObject", f"{RAW}/raw/a.gz", {}),
    ("SubmitterRole", "s3:GetObject", f"{LAKE}/lake/event/app_id=shop/a.parquet", {}),
    ("SubmitterRole", "s3:PutObject", f"{LAKE}/lake/_checkpoints/ingest/offsets/0", {}),
    ("SubmitterRole", "s3:ListBucket", LAKE, {"prefix": "other/"}),
    *[("SubmitterRole", "s3:ListBucket", RAW, {"prefix": prefix}) for prefix in ("rawX/", "raw-payments/year=2026/", "ra", "")],
    *[("JobRole", "s3:GetObject", f"{RAW}/{key}", {}) for key in ("rawX/a.gz", "raw-payments/a.gz", "raw.csv", "other/a.gz")],
    ("SubmitterRole", "iam:PassRole", "arn:<SubmitterRole>", EMR),
    ("SubmitterRole", "iam:PassRole", "arn:<JobRole>", {"passedtoservice": "ec2.amazonaws.com"}),
    ("SubmitterRole", "emr-serverless:StartJobRun", "arn:aws:emr-serverless:eu-test-1:111122223333:/applications/<Other>", {}),
    ("JobRole", "s3:PutObject", f"{RAW}/raw/a.gz", {}),
    ("JobRole", "s3:DeleteObject", f"{RAW}/raw/a.gz", {}),
    ("JobRole", "s3:PutObject", CONFIG, {}),
    ("JobRole", "s3:GetObject", f"{ARTIFACTS}/other/a", {}),
    ("JobRole", "s3:PutObject", f"{LAKE}/lakeside/a", {}),
    ("JobRole", "s3:GetObject", f"{WORK}/athena/result.csv", {}),
    ("JobRole", "logs:PutLogEvents", "arn:<SubmitterLogs>", {}),
    ("JobRole", "emr-serverless:StartJobRun", "arn:aws:emr-serverless:eu-test-1:111122223333:/applications/<Application>", {}),
    ("ScheduleRole", "lambda:InvokeFunction", "arn:aws:emr-serverless:eu-test-1:111122223333:/applications/<Other>", {}),
]


def test_the_job_may_do_what_it_does() -> None:
    assert [need for need in JOB_MAY if not DEFAULTS.allows("JobRole", *need[:2], **need[2])] == []


def test_the_roles_may_do_nothing_beyond() -> None:
    assert [case for case in REFUSED if DEFAULTS.allows(*case[:3], **case[3])] == []


def test_existing_buckets_are_granted_by_their_names() -> None:
    existing = stack(SourceBucket="my-raw", SourcePrefix="", SinkBucket="my-lake", SinkPrefix="a/b")
    assert existing.allows("JobRole", "s3:GetObject", "arn:aws:s3:::my-raw/year=2026/a.gz")
    assert existing.allows("SubmitterRole", "s3:ListBucket", "arn:aws:s3:::my-raw", prefix="")
    assert existing.allows("JobRole", "s3:PutObject", "arn:aws:s3:::my-lake/a/b/event/1.parquet")
    assert not existing.allows("JobRole", "s3:PutObject", "arn:aws:s3:::my-lake/a/1.parquet")


@pytest.mark.parametrize("role", ["SubmitterRole", "JobRole"])
def test_the_key_may_be_used_where_there_is_one(role: str) -> None:
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        assert stack(KmsKeyArn=KEY).allows(role, action, KEY)
        assert not DEFAULTS.allows(role, action, KEY)


def test_further_keys_may_be_used_each_by_its_arn() -> None:
    """To read by both roles, to write by the job alone."""
    keys = [f"{KEY}1", f"{KEY}2"]
    several = stack(DataKeyArns=",".join(keys))
    for key in keys:
        assert several.allows("JobRole", "kms:GenerateDataKey", key)
        assert all(several.allows(role, "kms:Decrypt", key) for role in ("JobRole", "SubmitterRole"))
        assert not several.allows("SubmitterRole", "kms:GenerateDataKey", key)
    assert not any(several.allows(role, "kms:Decrypt", f"{KEY}3") for role in ROLES)


@every_option
def test_roles_are_trusted_by_the_services_of_this_account_alone(any_stack: Stack) -> None:
    """EMR Serverless names the account. Nothing says that it names the application: with that condition no run would start."""
    trusted = {}
    for name, role in any_stack.of_type("AWS::IAM::Role").items():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        trusted[name] = (statement["Principal"]["Service"], statement.get("Condition"))
    account = {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    services = {
        "ScheduleRole": ("scheduler.amazonaws.com", account),
        "SubmitterRole": ("lambda.amazonaws.com", None),
        "JobRole": ("emr-serverless.amazonaws.com", account),
    }
    assert trusted == {name: each for name, each in services.items() if name in any_stack.resources}


NETWORK = {f"ec2:{name}" for name in ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface")}
WIDE = {"logs:DescribeLogGroups", *NETWORK, "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"}
"""The only actions on more than the stack's own: AWS knows no narrower resource for them, or none before it is made."""


@every_option
def test_no_role_has_wildcards_on_data(any_stack: Stack) -> None:
    for role in any_stack.of_type("AWS::IAM::Role"):
        for statement in any_stack.statements(role):
            actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            resources = [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
            assert not [action for action in actions if "*" in action]
            if not set(actions) <= WIDE:
                # A folder of a bucket, or the runs of the application; never a bucket's name, an account or everything.
                assert not [each for each in resources if "*" in each.split("/")[0]]
                assert not [each for each in resources if re.fullmatch(r"arn:aws:s3:::[^/]+/\*", each)]


def test_every_role_has_the_boundary_if_there_is_one() -> None:
    bound = stack(**OPTIONS["boundary"])
    roles = bound.of_type("AWS::IAM::Role")
    assert set(roles) == set(ROLES)
    assert {each["PermissionsBoundary"] for each in roles.values()} == set(OPTIONS["boundary"].values())
    assert not [each for each in DEFAULTS.of_type("AWS::IAM::Role").values() if "PermissionsBoundary" in each]
