"""The template that deploys the pipeline is valid in every region and with every option, and is what is documented."""

from __future__ import annotations

import re

import cfnlint.api
import pytest
import yaml
from cfnlint.config import ManualArgs

from streaming_app.deploy.template import saved_queries, update_template
from tests.support.infra import DEFAULTS, OPTIONS, PARSED, REQUIRED, ROOT, TEMPLATE, TEXT, every_option
from tests.support.stack import Stack


def test_it_is_valid_in_every_region() -> None:
    found = cfnlint.api.lint(TEXT, config=ManualArgs(regions=["ALL_REGIONS"]))
    assert [f"{each.linenumber}: {each.rule.id} {each.message}" for each in found] == []


def test_cloudformation_reads_its_yaml() -> None:
    """CloudFormation takes no aliases of YAML, and no template above 1 MB."""
    tokens = [type(token).__name__ for token in yaml.scan(TEXT)]
    assert not {"AnchorToken", "AliasToken"} & set(tokens)
    assert len(TEXT.encode()) < 1_000_000


def test_generated_template_is_up_to_date() -> None:
    assert update_template(TEXT, saved_queries(ROOT / "conf/athena")) == TEXT, "python -m streaming_app.deploy.template " + str(
        TEMPLATE
    )


def test_every_parameter_is_documented_grouped_and_constrained() -> None:
    parameters = PARSED["Parameters"]
    groups = PARSED["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(parameters)
    for name, declared in parameters.items():
        assert len(declared["Description"]) > 20, name
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & set(declared) or declared["Type"] == "CommaDelimitedList", name
        assert ("Default" in declared) != (name in REQUIRED), name
        if "AllowedPattern" in declared:
            assert "ConstraintDescription" in declared, name
            values = [declared.get("Default", REQUIRED.get(name)), *(given[name] for given in OPTIONS.values() if name in given)]
            assert all(re.fullmatch(declared["AllowedPattern"], each) for each in values), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ProjectId", "Demo"),
        ("ProjectId", "a" * 29),
        ("SourcePrefix", "raw/"),
        ("SourcePrefix", "/raw"),
        ("SourcePrefix", "r*"),
        ("SinkPrefix", ""),
        ("SinkPrefix", "lake/"),
        ("ArtifactPrefix", "clickstream/"),
        ("ConfigKey", "/pipeline.yaml"),
        ("ScheduleExpression", "hourly"),
        ("KmsKeyArn", "alias/mine"),
        ("AlarmEmail", "nobody"),
    ],
)
def test_wrong_values_are_refused_before_anything_is_made(name: str, value: str) -> None:
    assert not re.fullmatch(PARSED["Parameters"][name]["AllowedPattern"], value)


@every_option
def test_every_option_gives_a_whole_stack(any_stack: Stack) -> None:
    """Stack itself fails where something refers to what is not created."""
    assert {"Application", "Submitter", "Schedule", "Workgroup"} <= set(any_stack.resources)
    assert ("RawBucket" in any_stack.resources) == ("SourceBucket" not in any_stack.given)
    assert ("LakeBucket" in any_stack.resources) == ("SinkBucket" not in any_stack.given)
    assert ("Subscription" in any_stack.resources) == ("AlarmEmail" in any_stack.given)
    assert all(any_stack.value(output["Value"]) for output in PARSED["Outputs"].values())


def test_the_guide_speaks_of_what_is_there() -> None:
    """Every alarm is explained; parameters, outputs and log groups have their names."""
    guide = (ROOT / "docs/how-to/deploy.md").read_text()
    alarms = {each["AlarmName"].removeprefix("clickstream-demo-") for each in DEFAULTS.of_type("AWS::CloudWatch::Alarm").values()}
    assert set(re.findall(r"^\| `([a-z-]+)` \|", guide, re.MULTILINE)) == alarms
    without_examples = re.sub(r"```.*?```", "", guide, flags=re.DOTALL)
    named = {
        name for text in re.findall(r"`([^`]+)`", without_examples) for name in re.findall(r"^<?([A-Z][a-z]+[A-Z]\w+)\b", text)
    }
    given = set(re.findall(r"\b([A-Z][a-z][A-Za-z]+)=", guide))
    assert named | given <= set(PARSED["Parameters"]) | set(PARSED["Outputs"])
    assert len(named) > 8
    assert all(each["LogGroupName"] in guide for each in DEFAULTS.of_type("AWS::Logs::LogGroup").values())
