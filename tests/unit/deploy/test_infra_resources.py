"""What the template makes: private buckets, one writer, the submitter's environment, the tables and queries of Athena."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streaming_app.config.emr import EmrSection
from streaming_app.deploy.ddl import glue_table
from streaming_app.deploy.template import saved_queries
from streaming_app.model.tables import TABLES
from submitter.deployment import Deployment
from submitter.trigger import read_trigger
from tests.support.infra import DEFAULTS, KEY, LAKE, OPTIONS, PARSED, ROLE, ROOT, every_option, nested, stack
from tests.support.stack import Stack


@every_option
def test_buckets_are_private_encrypted_kept_and_reached_by_tls(any_stack: Stack) -> None:
    policies = {
        each["Bucket"]: each["PolicyDocument"]["Statement"] for each in any_stack.of_type("AWS::S3::BucketPolicy").values()
    }
    for name, bucket in any_stack.of_type("AWS::S3::Bucket").items():
        # One that stayed behind after a first create that failed would be in the way of the second.
        assert PARSED["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert PARSED["Resources"][name]["UpdateReplacePolicy"] == "Retain"
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        key = any_stack.given.get("KmsKeyArn")
        assert rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID") == key
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == ("aws:kms" if key else "AES256")
        logged = bucket.get("LoggingConfiguration", {}).get("DestinationBucketName")
        assert logged == any_stack.given.get("AccessLogBucket")
        (deny,) = policies[bucket.get("BucketName", f"<{name}>")]
        assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "s3:*")
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


APPLICATION = "AWS::EMRServerless::Application"
VERSIONS = ["old-versions", "delete-markers"]


@pytest.mark.parametrize(
    ("bucket", "given", "rules"),
    [
        ("RawBucket", {}, ["unfinished-uploads", *VERSIONS]),
        ("RawBucket", OPTIONS["raw files archived and deleted"], ["unfinished-uploads", "expire", "archive", *VERSIONS]),
        ("RawBucket", {"VersionDays": 0}, ["unfinished-uploads", *VERSIONS]),
        ("LakeBucket", OPTIONS["raw files archived and deleted"], ["unfinished-uploads", *VERSIONS]),
        ("LakeBucket", {"VersionDays": 0}, ["unfinished-uploads", *VERSIONS]),
        ("WorkBucket", {}, ["unfinished-uploads", "expire"]),
        ("WorkBucket", {"WorkDays": 0}, ["unfinished-uploads"]),
    ],
)
def test_lifecycles(bucket: str, given: dict[str, Any], rules: list[str]) -> None:
    properties = stack(**given).resources[bucket]
    found = {rule["Id"]: rule for rule in properties["LifecycleConfiguration"]["Rules"]}
    assert list(found) == rules
    days = given.get("VersionDays", 7)
    if "VersioningConfiguration" in properties:
        assert properties["VersioningConfiguration"] == {"Status": "Enabled" if days else "Suspended"}
        assert found["old-versions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": days or 1}
        assert found["delete-markers"] == {"Id": "delete-markers", "Status": "Enabled", "ExpiredObjectDeleteMarker": True}


@every_option
def test_markers_of_deleted_objects_do_not_pile_up(any_stack: Stack) -> None:
    """A rename of a checkpoint's file leaves one, where versioning is on or was; S3 allows it only in a rule without an age."""
    for bucket in any_stack.of_type("AWS::S3::Bucket").values():
        rules = bucket["LifecycleConfiguration"]["Rules"]
        cleaning = [rule for rule in rules if rule.get("ExpiredObjectDeleteMarker")]
        assert bool(cleaning) == ("VersioningConfiguration" in bucket)
        assert not any({"ExpirationInDays", "NoncurrentVersionExpiration"} & rule.keys() for rule in cleaning)


@every_option
def test_one_writer_and_nothing_paid_while_idle(any_stack: Stack) -> None:
    reserved = any_stack.given.get("ReservedConcurrency")  # new accounts have none to give
    assert any_stack.resources["Submitter"].get("ReservedConcurrentExecutions") == reserved
    if (application := any_stack.resources.get("Application")) is None:
        return
    assert application["SchedulerConfiguration"]["MaxConcurrentRuns"] == 1
    assert "InitialCapacity" not in application
    assert application["AutoStopConfiguration"]["Enabled"]
    assert ("NetworkConfiguration" in application) == ("SubnetIds" in any_stack.given)


@every_option
def test_the_submitter_runs_on_the_processor_of_the_job(any_stack: Stack) -> None:
    """The package is made for one."""
    (architecture,) = any_stack.resources["Submitter"]["Architectures"]
    assert architecture.upper() == any_stack.given.get("Architecture", "ARM64")
    assert all(each["Architecture"] == architecture.upper() for each in any_stack.of_type(APPLICATION).values())


def test_the_largest_run_fits_the_application() -> None:
    """Of the configuration's defaults: a driver, and executors up to emr.sizing.max_vcpu."""
    emr, maximum = EmrSection(), DEFAULTS.resources["Application"]["MaximumCapacity"]
    executors = emr.sizing.max_vcpu // emr.executor.vcpu
    for given, of in (("Cpu", "vcpu"), ("Memory", "memory_gb"), ("Disk", "disk_gb")):
        needed = getattr(emr.driver, of) + executors * getattr(emr.executor, of)
        assert int(maximum[given].split()[0]) >= needed, given


def test_the_submitter_is_told_what_it_needs() -> None:
    submitter = stack(KmsKeyArn=KEY).resources["Submitter"]
    assert submitter["Environment"]["Variables"] == {
        "CLICKSTREAM_PROJECT_ID": "demo",
        "CLICKSTREAM_CONFIG": "s3://artifacts/clickstream/pipeline.yaml",
        "CLICKSTREAM_APPLICATION_ID": "<Application>",
        "CLICKSTREAM_JOB_ROLE_ARN": "arn:<JobRole>",
        "CLICKSTREAM_PACKAGE": "s3://artifacts/clickstream/0.1.0",
        "CLICKSTREAM_LOG_URI": "s3://<WorkBucket>/logs/",
        "CLICKSTREAM_LOG_GROUP": "<JobLogs>",
        "CLICKSTREAM_MAXIMUM_VCPU": 80,
        "CLICKSTREAM_KMS_KEY_ARN": KEY,
        "POWERTOOLS_METRICS_NAMESPACE": "Clickstream",
    }
    known = {field.alias for field in Deployment.model_fields.values()}
    assert {*submitter["Environment"]["Variables"], "AWS_REGION"} - {"POWERTOOLS_METRICS_NAMESPACE"} == known, (
        "Lambda sets a region"
    )
    assert json.loads(DEFAULTS.resources["Schedule"]["Target"]["Input"]) == {"scheduled_time": "<aws.scheduler.scheduled-time>"}


def test_what_exists_is_used() -> None:
    """Everything that names the application, the roles or the bucket names the existing one."""
    whole = stack(**OPTIONS["existing application"], **OPTIONS["existing roles"], **OPTIONS["existing bucket of logs"])
    submitter = whole.resources["Submitter"]
    variables = submitter["Environment"]["Variables"]
    assert variables["CLICKSTREAM_APPLICATION_ID"] == nested(whole, "Alarms").given["Application"] == "00f1abcdefgh"
    assert (variables["CLICKSTREAM_JOB_ROLE_ARN"], submitter["Role"]) == (f"{ROLE}/job", f"{ROLE}/submitter")
    assert variables["CLICKSTREAM_LOG_URI"] == "s3://my-logs/logs/"
    results = whole.resources["Workgroup"]["WorkGroupConfiguration"]["ResultConfiguration"]
    assert results["OutputLocation"] == "s3://my-logs/athena/"
    outputs = {name: whole.value(output["Value"]) for name, output in PARSED["Outputs"].items()}
    assert outputs.items() >= {"JobRoleArn": f"{ROLE}/job", "WorkBucketName": "my-logs"}.items()


def test_names_follow_the_rules_of_an_account() -> None:
    whole = stack(**OPTIONS["names of roles"], **OPTIONS["name of the database"])
    roles = whole.of_type("AWS::IAM::Role").values()
    assert {(role["Path"], role["RoleName"]) for role in roles} == {
        ("/data/", f"web-clicks-{name}") for name in ("schedule", "submitter", "job")
    }
    assert not [role for role in DEFAULTS.of_type("AWS::IAM::Role").values() if "RoleName" in role]
    assert whole.resources["Database"]["DatabaseInput"]["Name"] == "web"
    assert stack(ProjectId="my-shop").resources["Database"]["DatabaseInput"]["Name"] == "clickstream_my_shop"


def test_the_submitter_joins_the_network_if_asked() -> None:
    inside = stack(**OPTIONS["submitter in the network"])
    assert inside.resources["Submitter"]["VpcConfig"] == {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert inside.allows("SubmitterRole", "ec2:CreateNetworkInterface", "*")
    outside = stack(**OPTIONS["network"])
    assert "VpcConfig" not in outside.resources["Submitter"]
    assert not outside.allows("SubmitterRole", "ec2:CreateNetworkInterface", "*")


@every_option
def test_the_tables_are_maintained_by_a_schedule_of_their_own(any_stack: Stack) -> None:
    """The same Lambda, by an event that it understands."""
    schedules = any_stack.of_type("AWS::Scheduler::Schedule")
    expression = any_stack.given.get("MaintenanceExpression", "cron(30 2 * * ? *)")
    assert ("MaintenanceSchedule" in schedules) == bool(expression)
    for name, schedule in schedules.items():
        event = json.loads(schedule["Target"]["Input"])
        moment = {"scheduled_time": "2030-01-01T02:30:00Z"}
        trigger, _ = read_trigger(event | moment, EmrSection(), None)
        assert trigger.command == ("maintain" if name == "MaintenanceSchedule" else "run")
        assert event["scheduled_time"] == "<aws.scheduler.scheduled-time>"
        assert schedule["Target"]["Arn"] == "arn:<Submitter>"
        assert schedule["State"] == any_stack.given.get("ScheduleState", "ENABLED")


def test_a_key_of_ones_own_is_that_of_everything() -> None:
    """Which may be used by whoever writes there."""
    whole = stack(KmsKeyArn=KEY)
    resources = whole.resources
    assert resources["Submitter"]["KmsKeyArn"] == resources["DeadLetters"]["KmsMasterKeyId"] == KEY
    assert "SqsManagedSseEnabled" not in resources["DeadLetters"]
    assert {each["KmsKeyId"] for each in whole.of_type("AWS::Logs::LogGroup").values()} == {KEY}
    assert nested(whole, "Alarms").resources["Topic"]["KmsMasterKeyId"] == KEY
    assert all(whole.allows(role, "kms:GenerateDataKey", KEY) for role in whole.of_type("AWS::IAM::Role"))
    assert DEFAULTS.resources["DeadLetters"]["SqsManagedSseEnabled"]
    assert "KmsKeyArn" not in DEFAULTS.resources["Submitter"]


def test_failures_to_submit_end_in_the_queue() -> None:
    queue = "arn:<DeadLetters>"
    assert DEFAULTS.resources["Schedule"]["Target"]["DeadLetterConfig"]["Arn"] == queue
    assert DEFAULTS.resources["SubmitterRetries"]["DestinationConfig"]["OnFailure"]["Destination"] == queue
    assert all(DEFAULTS.allows(role, "sqs:SendMessage", queue) for role in ("ScheduleRole", "SubmitterRole"))


@every_option
def test_the_catalog_has_all_tables(any_stack: Stack) -> None:
    lake = f"s3://{any_stack.given.get('SinkBucket', LAKE.rpartition(':')[2])}/lake"
    tables = nested(any_stack, "Tables")
    in_catalog = [each["TableInput"] for each in tables.of_type("AWS::Glue::Table").values()]
    assert in_catalog == [glue_table(table, lake) for table in TABLES.values()]
    assert {each["DatabaseName"] for each in tables.resources.values()} == {"<Database>"}
    assert any_stack.resources["Database"]["DatabaseInput"]["LocationUri"] == f"{lake}/"


def test_saved_queries_run_in_the_database_and_its_workgroup() -> None:
    queries = nested(DEFAULTS, "Queries").of_type("AWS::Athena::NamedQuery").values()
    assert {each["Name"]: each["QueryString"].strip() for each in queries} == {
        name: sql.strip() for name, sql in saved_queries(ROOT / "conf/athena").items()
    }
    assert {(each["Database"], each["WorkGroup"]) for each in queries} == {("<Database>", "<Workgroup>")}


def test_queries_cannot_scan_more_than_allowed() -> None:
    configuration = stack(AthenaScanLimitGB=7).resources["Workgroup"]["WorkGroupConfiguration"]
    assert int(configuration["BytesScannedCutoffPerQuery"]) == 7 * 10**9
    assert configuration["EnforceWorkGroupConfiguration"]
