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
from tests.support.infra import DEFAULTS, KEY, LAKE, OPTIONS, PARSED, ROOT, every_option, stack
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
        (deny,) = policies[bucket.get("BucketName", f"<{name}>")]
        assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "s3:*")
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


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
    application = any_stack.resources["Application"]
    assert application["SchedulerConfiguration"]["MaxConcurrentRuns"] == 1
    reserved = any_stack.given.get("ReservedConcurrency")  # new accounts have none to give
    assert any_stack.resources["Submitter"].get("ReservedConcurrentExecutions") == reserved
    assert "InitialCapacity" not in application
    assert application["AutoStopConfiguration"]["Enabled"]
    assert ("NetworkConfiguration" in application) == ("SubnetIds" in any_stack.given)


@every_option
def test_the_submitter_runs_on_the_processor_of_the_job(any_stack: Stack) -> None:
    """The package is made for one."""
    (architecture,) = any_stack.resources["Submitter"]["Architectures"]
    assert architecture.upper() == any_stack.resources["Application"]["Architecture"]


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


def test_failures_to_submit_end_in_the_queue() -> None:
    queue = "arn:<DeadLetters>"
    assert DEFAULTS.resources["Schedule"]["Target"]["DeadLetterConfig"]["Arn"] == queue
    assert DEFAULTS.resources["SubmitterRetries"]["DestinationConfig"]["OnFailure"]["Destination"] == queue
    assert all(DEFAULTS.allows(role, "sqs:SendMessage", queue) for role in ("ScheduleRole", "SubmitterRole"))


@every_option
def test_the_catalog_has_all_tables(any_stack: Stack) -> None:
    lake = f"s3://{any_stack.given.get('SinkBucket', LAKE.rpartition(':')[2])}/lake"
    in_catalog = [each["TableInput"] for each in any_stack.of_type("AWS::Glue::Table").values()]
    assert in_catalog == [glue_table(table, lake) for table in TABLES.values()]


def test_saved_queries_run_in_the_database_and_its_workgroup() -> None:
    queries = DEFAULTS.of_type("AWS::Athena::NamedQuery").values()
    assert {each["Name"]: each["QueryString"].strip() for each in queries} == {
        name: sql.strip() for name, sql in saved_queries(ROOT / "conf/athena").items()
    }
    assert {(each["Database"], each["WorkGroup"]) for each in queries} == {("<Database>", "<Workgroup>")}


def test_queries_cannot_scan_more_than_allowed() -> None:
    configuration = stack(AthenaScanLimitGB=7).resources["Workgroup"]["WorkGroupConfiguration"]
    assert int(configuration["BytesScannedCutoffPerQuery"]) == 7 * 10**9
    assert configuration["EnforceWorkGroupConfiguration"]
