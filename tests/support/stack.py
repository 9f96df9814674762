"""A CloudFormation template with its parameters filled in, and what its roles may do: enough of both to be tested offline.

A reference to a resource becomes ``<Name>``, an attribute of it ``<Name.Attribute>``; its ARN starts with ``arn:<Name>``, so
that ARNs made of bucket names and those made by GetAtt compare alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from cfnlint.decode import decode

PSEUDO = {
    "AWS::AccountId": "111122223333",
    "AWS::Region": "eu-test-1",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "stack",
}
NOTHING = object()


def load(path: Path) -> dict[str, Any]:
    template, problems = decode(str(path))
    assert not problems
    assert template is not None
    return template


@dataclass(frozen=True)
class Stack:
    """What a template comes to with some parameters, the others at their defaults."""

    template: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Properties of the resources that are created, by name."""
        return {
            name: self.value(each.get("Properties", {}))
            for name, each in self.template["Resources"].items()
            if self.condition(each.get("Condition"))
        }

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        return {name: each for name, each in self.resources.items() if self.template["Resources"][name]["Type"] == kind}

    def condition(self, name: str | None) -> bool:
        return name is None or self._holds(self.template["Conditions"][name])

    def value(self, value: Any) -> Any:
        """A value without functions."""
        if isinstance(value, list):
            return [each for each in map(self.value, value) if each is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (function, argument), *_ = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return getattr(self, "_" + function.removeprefix("Fn::").lower())(argument)
        values = {key: self.value(each) for key, each in value.items()}
        return {key: each for key, each in values.items() if each is not NOTHING}

    def statements(self, role: str) -> list[dict[str, Any]]:
        return [each for policy in self.resources[role]["Policies"] for each in policy["PolicyDocument"]["Statement"]]

    def allows(self, role: str, action: str, resource: str, **context: str) -> bool:
        """Whether a role's own policies allow an action, as IAM evaluates them; they have no Deny."""
        return any(_applies(each, action, resource, context) for each in self.statements(role))

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NOTHING
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.template["Parameters"]:
            return self._parameter(name)
        return self._named(name) or f"<{name}>"

    def _named(self, name: str) -> str | None:
        """The name that the template gives to a bucket: ARNs are made of it."""
        resource = self.template["Resources"][name]
        assert self.condition(resource.get("Condition")), f"{name} is referred to, but not created"
        return self.value(resource["Properties"].get("BucketName")) if resource["Type"] == "AWS::S3::Bucket" else None

    def _parameter(self, name: str) -> Any:
        declared = self.template["Parameters"][name]
        value = self.given.get(name, declared.get("Default"))
        assert value is not None, f"{name} has no default"
        return [each for each in value.split(",") if each] if declared["Type"] == "CommaDelimitedList" else value

    def _getatt(self, argument: list[str] | str) -> str:
        name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        named = self._named(name)
        if attribute != "Arn":
            return f"<{name}.{attribute}>"
        return f"arn:aws:s3:::{named or f'<{name}>'}" if "Bucket" in name else f"arn:<{name}>"

    def _sub(self, argument: str | list[Any]) -> str:
        text, values = (argument, {}) if isinstance(argument, str) else argument

        def of(match: re.Match[str]) -> str:
            name = match[1]
            if name in values:
                return str(self.value(values[name]))
            return str(self._getatt(name) if "." in name else self._ref(name))

        return re.sub(r"\$\{([A-Za-z0-9.:]+)\}", of, text)

    def _if(self, argument: list[Any]) -> Any:
        condition, yes, no = argument
        return self.value(yes if self.condition(condition) else no)

    def _findinmap(self, argument: list[Any]) -> Any:
        first, second, third = map(self.value, argument)
        return self.template["Mappings"][first][second][third]

    def _join(self, argument: list[Any]) -> str:
        return argument[0].join(self.value(argument[1]))

    def _split(self, argument: list[Any]) -> list[str]:
        return self.value(argument[1]).split(argument[0])

    def _holds(self, condition: dict[str, Any]) -> bool:
        ((function, arguments),) = condition.items()
        if function == "Fn::Not":
            return not self._holds(arguments[0])
        assert function == "Fn::Equals"
        return str(self.value(arguments[0])) == str(self.value(arguments[1]))


def _applies(statement: dict[str, Any], action: str, resource: str, context: dict[str, str]) -> bool:
    return (
        statement["Effect"] == "Allow"
        and any(fnmatchcase(action.lower(), each.lower()) for each in _list(statement["Action"]))
        and any(_like(resource, each) for each in _list(statement["Resource"]))
        and all(_met(operator, keys, context) for operator, keys in statement.get("Condition", {}).items())
    )


def _met(operator: str, keys: dict[str, Any], context: dict[str, str]) -> bool:
    assert operator in ("StringEquals", "StringLike")
    return all(
        key in context
        and any(context[key] == each if operator == "StringEquals" else _like(context[key], each) for each in _list(values))
        for key, values in ((name.partition(":")[2].lower(), values) for name, values in keys.items())
    )


def _like(text: str, pattern: str) -> bool:
    """IAM's wildcards: * and ?, which other letters are no part of."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text, re.DOTALL) is not None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
