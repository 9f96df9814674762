"""The deployment's template with each of its options, for the tests of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import Stack, load

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "conf/infra/clickstream.yaml"
ALARMS, TABLES, QUERIES = (TEMPLATE.with_name(name) for name in ("alarms.yaml", "tables.yaml", "queries.yaml"))
TEXT = TEMPLATE.read_text()
PARSED = load(TEMPLATE)

REQUIRED = {"ArtifactBucket": "artifacts"}
KEY = "arn:aws:kms:eu-test-1:111122223333:key/1234abcd"
SECRET = "arn:aws:secretsmanager:eu-test-1:111122223333:secret:clickstream/hash-key-a1b2c3"  # noqa: S105 - a name
PARAMETER = "arn:aws:ssm:eu-test-1:111122223333:parameter/clickstream/hash-key"
ROLE = "arn:aws:iam::111122223333:role/data"
OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "existing source": {"SourceBucket": "my-raw"},
    "existing sink": {"SinkBucket": "my-lake"},
    "raw files archived and deleted": {"RawRetentionDays": 400, "RawArchiveDays": 30},
    "no versions, all work kept": {"VersionDays": 0, "WorkDays": 0},
    "key": {"KmsKeyArn": KEY},
    "keys of existing buckets": {"DataKeyArns": f"{KEY}1,{KEY}2"},
    "secrets": {"SecretArns": f"{SECRET},{PARAMETER}"},
    "a run a day": {"RunEvery": "day"},
    "a schedule of its own": {"ScheduleExpression": "cron(0 1 * * ? *)", "AlarmNoDataHours": 30, "AlarmBacklogHours": 26},
    "concurrency reserved": {"ReservedConcurrency": 1},
    "network": {"SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1"},
    "submitter in the network": {"SubnetIds": "subnet-1", "SecurityGroupIds": "sg-1", "SubmitterVpc": "true"},
    "existing roles": {"ExistingJobRoleArn": f"{ROLE}/job", "ExistingSubmitterRoleArn": f"{ROLE}/submitter"},
    "names of roles": {"RolePath": "/data/", "RoleNamePrefix": "web-clicks"},
    "existing application": {"ExistingApplicationId": "00f1abcdefgh"},
    "access logs": {"AccessLogBucket": "my-access-logs"},
    "existing bucket of logs": {"LogBucket": "my-logs"},
    "name of the database": {"DatabaseName": "web"},
    "boundary": {"PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/bound"},
    "mail": {"AlarmEmail": "ops@example.org"},
    "paused": {"ScheduleState": "DISABLED"},
    "Intel": {"Architecture": "X86_64"},
    "no maintenance": {"MaintenanceExpression": ""},
    "no saved queries": {"SavedQueries": "false"},
}
OPTIONS["all"] = {
    name: value
    for given in OPTIONS.values()
    for name, value in given.items()
    if not name.startswith("Existing")  # what exists is not made, and so not looked at
}


def stack(**given: Any) -> Stack:
    return Stack(PARSED, REQUIRED | given)


DEFAULTS = stack()


def nested(of: Stack, name: str) -> Stack:
    """A stack inside of the stack, with the parameters that it is given."""
    properties = of.resources[name]
    return Stack(load(TEMPLATE.with_name(properties["TemplateURL"].rpartition("/")[2])), properties["Parameters"])


every_option = pytest.mark.parametrize("any_stack", [stack(**given) for given in OPTIONS.values()], ids=OPTIONS)
"""The stack with each optional part, and with all of them."""

RAW, LAKE = (f"arn:aws:s3:::demo-{kind}-111122223333-eu-test-1" for kind in ("raw", "lake"))
