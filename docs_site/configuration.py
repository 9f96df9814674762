"""The reference page of the configuration keys, from the pydantic models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typing_extensions import TypeIs

from streaming_app.config.model import Config

_ROOT = Path(__file__).parents[1]
_PAGE = re.compile(r"\bdocs/([\w/-]*?([\w-]+)\.md)")
_TYPES = {str: "text", int: "integer", float: "number", bool: "true or false", SecretStr: "secret text", Any: "any"}
_BOUNDS = {Gt: (">", "gt"), Ge: ("≥", "ge"), Lt: ("<", "lt"), Le: ("≤", "le")}
_HEAD = """# Configuration

Every key of `pipeline.yaml`. Generated from the models in `streaming_app/config/` by `make reference`; a test compares.
[conf/pipeline.reference.yaml](../../conf/pipeline.reference.yaml) has the same keys as a file to start from:
`clickstream config init --full` writes it. `clickstream config schema` prints the JSON Schema for editors,
`clickstream config validate` shows every problem of a file at once.
"""


def configuration_page() -> str:
    """Return the page as Markdown: a section for each section of the file and each plugin's options, a row for each key."""
    parts = [_HEAD]
    parts += (_table("##", f"`{path}`" if path else "Top level", path, model) for path, model in _sections("", Config))
    for kind in ("enrichers", "transformers"):
        parts.append(f"\n## Options of built-in {kind}\n")
        parts += (_table("###", f"`{path}`", path, model) for path, model in _plugins(kind))
    return "".join(parts)


def _table(level: str, title: str, path: str, model: type[BaseModel]) -> str:
    rows = "".join(_row(path, name, field) for name, field in model.model_fields.items())
    return f"\n{level} {title}\n\n| key | type | default | meaning |\n|---|---|---|---|\n{rows}"


def _plugins(kind: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """The options of the built-in plugins that have any, by their names in the configuration."""
    for each in sorted(entry_points(group=f"clickstream.{kind}"), key=lambda entry: entry.name):
        if each.value.startswith("streaming_app.") and (options := getattr(each.load(), "Options", None)):
            yield from _sections(each.name, options)


def _sections(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        below = f"{path}.{name}".lstrip(".")
        origin, arguments = get_origin(field.annotation), get_args(field.annotation)
        if _is_section(field.annotation):
            yield from _sections(below, field.annotation)
        elif origin is dict and _is_section(arguments[1]):
            yield from _sections(f"{below}.<id>", arguments[1])
        elif origin is tuple and _is_section(arguments[0]):
            yield from _sections(f"{below}[]", arguments[0])


def _is_section(annotation: Any) -> TypeIs[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _row(path: str, name: str, field: FieldInfo) -> str:
    meaning = _meaning(field.description or "")
    if _is_section(field.annotation):
        meaning = f"{meaning} Keys: [`{name}`](#{_anchor(f'{path}.{name}')})".strip()
    cells = (f"`{name}`", " ".join([_type(field.annotation), *_constraints(field.metadata)]), _default(field), meaning)
    return f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |\n"


def _anchor(path: str) -> str:
    """The anchor of a section's heading."""
    return re.sub(r"[^\w-]", "", path)


def _meaning(text: str) -> str:
    """On one line; `<` escaped, pages of the documentation linked."""
    line = re.sub(r"\s+", " ", text).strip().replace("<", "&lt;")
    return _PAGE.sub(lambda found: f"[{found[2]}](../{found[1]})" if (_ROOT / found[0]).exists() else found[0], line)


def _type(annotation: Any) -> str:
    """The type in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None:
        return "section" if _is_section(annotation) else _TYPES[annotation]
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"{_type(arguments[0])} → {_type(arguments[1])}"
    if origin is Annotated:
        return " ".join([_type(arguments[0]), *_constraints(arguments[1:])])
    return " or ".join(dict.fromkeys(_type(each) for each in arguments if each is not NoneType))


def _constraints(metadata: Any) -> Iterator[str]:
    for each in metadata:
        for kind, (sign, name) in _BOUNDS.items():
            if isinstance(each, kind):
                yield f"{sign} {getattr(each, name):,}"
        if isinstance(each, MinLen) and each.min_length > 1:
            yield f"of {each.min_length:,} or more characters"
        elif isinstance(each, MaxLen):
            yield f"of at most {each.max_length:,} characters"
        elif isinstance(each, FieldInfo):
            yield from _constraints(each.metadata)
        if pattern := getattr(each, "pattern", None):
            yield f"matching `{pattern}`"


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is PydanticUndefined:
        value = field.get_default(call_default_factory=True)
    if value is None:
        return "absent"
    if isinstance(value, BaseModel):
        own = {name: getattr(value, name) for name in type(value).model_fields if name in value.model_fields_set}
        return ", ".join(f"`{name}: {each}`" for name, each in own.items()) or "-"
    if isinstance(value, dict | tuple):
        return ", ".join(f"`{each}`" for each in value) or "none"
    if isinstance(value, bool):
        return f"`{value}`".lower()
    return f"`{value}`"
