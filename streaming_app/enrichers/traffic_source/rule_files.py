"""The rule files: their formats, and reading them so that every problem is shown with its place in the file.

Categories and channels are in the reference system's formats, so that files made for it load as they are.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from streaming_app.config.problems import format_problem, problems_of
from streaming_app.errors import ConfigError
from streaming_app.plugins.enricher import Files


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CategoryRule(_Rule):
    """A referrer: ``url`` is a host, a host with a path, a ``name.*`` under any public suffix, or a bare name that campaigns
    use as source; ``params`` are those that hold the search term."""

    url: str = Field(min_length=1)
    source: str = Field(min_length=1)
    category: str = Field(min_length=1)
    params: tuple[str, ...] = ()


class ClickIdRule(_Rule):
    """A parameter that an advertising or mail platform adds to the links that it leads to; a platform that serves several
    sources leaves ``source`` to the referrer."""

    param: str = Field(min_length=1)
    platform: str = Field(min_length=1)
    source: str | None = Field(min_length=1)
    medium: str | None = None
    paid: bool


ChannelField = Literal[
    "traffic_source_category",
    "traffic_source_source",
    "traffic_source_medium",
    "traffic_source_campaign",
    "traffic_source_campaign_id",
    "traffic_source_content",
    "traffic_source_term",
    "traffic_source_clid",
    "traffic_source_clid_platform",
    "page_view_latest_referrer",
    "page_view_latest_referrer_host",
]
_Operator = Literal[
    "eq", "contain", "start_with", "end_with", "match", "in",
    "not_eq", "not_contain", "not_start_with", "not_end_with", "not_match", "not_in",
]  # fmt: skip


class Comparison(_Rule):
    """One comparison; ``__empty__`` stands for no value."""

    field: ChannelField
    op: _Operator
    value: str | None = None
    values: tuple[str, ...] | None = None

    @field_validator("value")
    @classmethod
    def _compiles(cls, value: str | None, info: Any) -> str | None:
        if value is not None and str(info.data.get("op")).endswith("match"):
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"no regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _operand(self) -> Comparison:
        key = "values" if self.op.endswith("in") and not self.op.endswith("contain") else "value"
        if getattr(self, key) is None:
            raise ValueError(f"{self.op} needs {key}")
        return self


class _Group(_Rule):
    @field_validator("parts", check_fields=False)
    @classmethod
    def _something(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if not value:
            raise ValueError("must have at least one part")
        return value


class AllOf(_Group):
    """Every one of its parts holds."""

    parts: tuple[Condition, ...] = Field(alias="op::and")


class AnyOf(_Group):
    """At least one of its parts holds."""

    parts: tuple[Condition, ...] = Field(alias="op::or")


def _kind(value: Any) -> str:
    if not isinstance(value, dict) or {"op::and", "op::or"} <= value.keys():
        return "neither"
    return "AllOf" if "op::and" in value else "AnyOf" if "op::or" in value else "Comparison"


def _by_kind(expected: str) -> Discriminator:
    return Discriminator(_kind, custom_error_type="condition", custom_error_message=f"must be {expected}")


Condition = Annotated[
    Annotated[AllOf, Tag("AllOf")] | Annotated[AnyOf, Tag("AnyOf")] | Annotated[Comparison, Tag("Comparison")],
    _by_kind("a comparison {field, op, value}, or {op::and: […]}, or {op::or: […]}"),
]

for _group in (AllOf, AnyOf):
    _group.model_rebuild()  # they were defined before what they consist of


class ChannelRule(_Rule):
    """A channel and its condition; the first rule that matches gives the channel."""

    id: str | None = None
    channel: str = Field(min_length=1)
    condition: Annotated[AllOf, Tag("AllOf")] | Annotated[AnyOf, Tag("AnyOf")] = Field(
        discriminator=_by_kind("{op::and: […]} or {op::or: […]}")
    )
    displayName: dict[str, str] | None = None  # noqa: N815 - a key of the file format
    description: dict[str, str] | None = None


_R = TypeVar("_R", bound=BaseModel)


def read_rules(uri: str, rule: type[_R], files: Files) -> tuple[_R, ...]:
    """The rules in a file, in order.

    Raises:
        ConfigError: it cannot be read or has problems; the message has one line for each.
    """
    try:
        text = files.read_text(uri)
        document = json.loads(text)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{uri}: cannot be read: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{uri}: not JSON: {error}") from None
    try:
        return tuple(TypeAdapter(list[rule]).validate_python(document))  # type: ignore[valid-type]  # mypy takes no variable
    except ValidationError as error:
        lines = _with_lines(text, document)
        problems = (format_problem(lines, path, message) for path, message in problems_of(error, rule))
        raise ConfigError("\n".join(f"{uri}:{each}" for each in problems)) from None


def _with_lines(text: str, document: Any) -> Any:
    """The document as its YAML reader sees it, which knows lines; it reads JSON too, but for tabs here and there."""
    try:
        return YAML(typ="rt").load(text.replace("\t", " "))
    except YAMLError:
        return document
