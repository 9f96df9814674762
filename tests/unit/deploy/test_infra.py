"""The template that deploys the pipeline is valid in every region and with every option, and is what is documented."""

from __future__ import annotations

import re
from pathlib import Path

import cfnlint.api
import pytest
import yaml
from cfnlint.config import ManualArgs

from streaming_app.deploy.template import queries_template, saved_queries, tables_template
from tests.support.infra import ALARMS, DEFAULTS, OPTIONS, PARSED, QUERIES, REQUIRED, ROOT, TABLES, TEMPLATE, every_option, nested
from tests.support.stack import Stack

each_template = pytest.mark.parametrize("path", [TEMPLATE, ALARMS, TABLES, QUERIES], ids=lambda path: path.name)


@each_template
def test_it_is_valid_in_every_region(path: Path) -> None:
    found = cfnlint.api.lint(path.read_text(), config=ManualArgs(regions=["ALL_REGIONS"]))
    assert [f"{each.linenumber}: {each.rule.id} {each.message}" for each in found] == []


@each_template
def test_cloudformation_reads_its_yaml(path: Path) -> None:
    """CloudFormation takes no aliases of YAML, and no template above 51,200 bytes that is not in a bucket."""
    tokens = [type(token).__name__ for token in yaml.scan(path.read_text())]
    assert not {"AnchorToken", "AliasToken"} & set(tokens)
    assert path.stat().st_size <= 51_200


def test_generated_templates_are_up_to_date() -> None:
    generated = {TABLES: tables_template(), QUERIES: queries_template(saved_queries(ROOT / "conf/athena"))}
    for path, text in generated.items():
        assert path.read_text() == text, f"python -m streaming_app.deploy.template {path.parent}"


@every_option
def test_nested_stacks_come_with_the_release(any_stack: Stack) -> None:
    """From the folder that `make package` fills, and with all parameters that they ask for."""
    found = any_stack.of_type("AWS::CloudFormation::Stack")
    assert set(found) == {"Alarms", "Tables", "Queries"} - (
        {"Queries"} if any_stack.given.get("SavedQueries") == "false" else set()
    )
    for name, properties in found.items():
        assert properties["TemplateURL"].startswith("https://s3.eu-test-1.amazonaws.com/artifacts/clickstream/0.1.0/")
        inside = nested(any_stack, name)
        assert set(inside.given) == set(inside.template["Parameters"])
        for parameter, value in inside.given.items():
            declared = inside.template["Parameters"][parameter]
            if "AllowedPattern" in declared and "<" not in str(value):
                assert re.fullmatch(declared["AllowedPattern"], value), (name, parameter, value)
        assert inside.resources


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
    assert {"Submitter", "Schedule", "Workgroup"} <= set(any_stack.resources)
    existing = {"Application": "ExistingApplicationId", "WorkBucket": "LogBucket"}
    existing |= {f"{name}Role": f"Existing{name}RoleArn" for name in ("Job", "Submitter")}
    for name, parameter in existing.items():
        assert (name in any_stack.resources) == (parameter not in any_stack.given)
    assert ("RawBucket" in any_stack.resources) == ("SourceBucket" not in any_stack.given)
    assert ("LakeBucket" in any_stack.resources) == ("SinkBucket" not in any_stack.given)
    assert ("Subscription" in nested(any_stack, "Alarms").resources) == ("AlarmEmail" in any_stack.given)
    assert all(any_stack.value(output["Value"]) for output in PARSED["Outputs"].values())


def test_the_guide_speaks_of_what_is_there() -> None:
    """Every alarm is explained; parameters, outputs and log groups have their names."""
    guide = (ROOT / "docs/how-to/deploy.md").read_text()
    alarms = {
        each["AlarmName"].removeprefix("clickstream-demo-")
        for each in nested(DEFAULTS, "Alarms").of_type("AWS::CloudWatch::Alarm").values()
    }
    assert set(re.findall(r"^\| `([a-z-]+)` \|", guide, re.MULTILINE)) == alarms
    without_examples = re.sub(r"```.*?```", "", guide, flags=re.DOTALL)
    named = {
        name for text in re.findall(r"`([^`]+)`", without_examples) for name in re.findall(r"^<?([A-Z][a-z]+[A-Z]\w+)\b", text)
    }
    given = set(re.findall(r"\b([A-Z][a-z][A-Za-z]+)=", guide))
    assert named | given <= set(PARSED["Parameters"]) | set(PARSED["Outputs"])
    assert len(named) > 8
    assert all(each["LogGroupName"] in guide for each in DEFAULTS.of_type("AWS::Logs::LogGroup").values())
