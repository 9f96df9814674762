"""What a security checker of templates (checkov) finds in ours: nothing but what is named here, each with its reason.

It runs in an environment of its own, because its pinned libraries are not ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from streaming_app.deploy import uv
from tests.support.infra import KEY, OPTIONS, ROOT, nested, stack
from tests.support.package import skip_without_uv
from tests.support.stack import Stack

LOCKED = ROOT / "supply_chain/checkov.txt"
HARDENED = {
    name: value
    for option in ("key", "submitter in the network", "concurrency reserved", "access logs")
    for name, value in OPTIONS[option].items()
}

OF_ALARMS = {("CKV_AWS_26", "Topic"): "messages name runs and alarms, no data: by parameter"}
ALWAYS = {
    ("CKV_AWS_21", "WorkBucket"): "query results and logs, which expire: old versions would outlive what they are versions of",
    ("CKV_AWS_116", "Submitter"): "SubmitterRetries names the queue: DeadLetterConfig is the older way to do so",
}
"""Check and resource, and why it stays."""
HARDENED_ONLY = {("CKV_AWS_111", "SubmitterRole"): "network interfaces have no ARN before they are made"}
BY_DEFAULT = {
    ("CKV_AWS_18", "RawBucket"): "costs a bucket: by parameter",
    ("CKV_AWS_18", "LakeBucket"): "the same",
    ("CKV_AWS_18", "WorkBucket"): "the same",
    ("CKV_AWS_27", "DeadLetters"): "encrypted by SQS's own keys, which the checker does not know: by parameter",
    ("CKV_AWS_117", "Submitter"): "it calls S3 and EMR alone: by parameter",
    ("CKV_AWS_173", "Submitter"): "the variables are names, and encrypted by Lambda's own key: by parameter",
    ("CKV_AWS_158", "JobLogs"): "encrypted by CloudWatch's own key: by parameter",
    ("CKV_AWS_158", "SubmitterLogs"): "the same",
    ("CKV_AWS_115", "Submitter"): "new accounts have no concurrency to reserve: by parameter",
}


@pytest.fixture(scope="module")
def checkov(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checker, by the hashes of its lock."""
    skip_without_uv()
    environment = tmp_path_factory.mktemp("checkov") / "venv"
    made = [uv.find_uv(), "venv", "--quiet", "--python", sys.executable, str(environment)]
    subprocess.run(made, check=True)
    install = [uv.find_uv(), "pip", "install", "--quiet", "--require-hashes", "--python", str(environment / "bin/python")]
    done = subprocess.run([*install, "-r", str(LOCKED)], capture_output=True, text=True, check=False)
    if "Failed to fetch" in done.stderr:
        pytest.skip(f"NO TEMPLATE WAS CHECKED BY CHECKOV: no package index can be reached: {done.stderr[-500:]}")
    assert done.returncode == 0, done.stderr[-3_000:]
    return environment / "bin/checkov"


def failed_checks(checkov: Path, any_stack: Stack, folder: Path) -> set[tuple[str, str]]:
    """Check and resource of what fails in a template whose conditions and parameters are filled in."""
    template = folder / "template.json"
    template.write_text(json.dumps(_rendered(any_stack)))
    command = [str(checkov), "--file", str(template), "--framework", "cloudformation", "--skip-download", "--output", "json"]
    quiet = {**os.environ, "LOG_LEVEL": "WARNING"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=quiet)
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["resource_count"] > 0
    return {(each["check_id"], each["resource"].rpartition(".")[2]) for each in report["results"]["failed_checks"]}


def _rendered(any_stack: Stack) -> dict[str, Any]:
    """checkov does not follow !If: an encryption that depends on a condition would count as none."""
    declared = any_stack.template["Resources"]
    resources = {name: {"Type": declared[name]["Type"], "Properties": each} for name, each in any_stack.resources.items()}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


@pytest.mark.parametrize(
    ("given", "reasons"),
    [({}, ALWAYS | BY_DEFAULT), (HARDENED, ALWAYS | HARDENED_ONLY)],
    ids=["defaults", "every option of security"],
)
def test_what_checkov_finds_is_named_with_a_reason(
    given: dict[str, Any], reasons: dict[tuple[str, str], str], checkov: Path, tmp_path: Path
) -> None:
    assert failed_checks(checkov, stack(**given), tmp_path) == set(reasons)
    of_alarms = set() if given else set(OF_ALARMS)
    assert failed_checks(checkov, nested(stack(**given), "Alarms"), tmp_path) == of_alarms


def test_it_would_find_a_mistake(checkov: Path, tmp_path: Path) -> None:
    template = stack(KmsKeyArn=KEY).template
    broken = {**template["Resources"]["LakeBucket"]["Properties"]}
    del broken["PublicAccessBlockConfiguration"]
    resources = {**template["Resources"], "LakeBucket": {**template["Resources"]["LakeBucket"], "Properties": broken}}
    mistaken = Stack({**template, "Resources": resources}, stack().given)
    assert ("CKV_AWS_53", "LakeBucket") in failed_checks(checkov, mistaken, tmp_path)
