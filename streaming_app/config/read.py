"""YAML to model, with every problem at once, its path and line in the file, and a remedy. Needs none of the plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from streaming_app.config.model import Config
from streaming_app.config.problems import Problem, format_problem, problems_of
from streaming_app.config.references import Resolve, resolve_references
from streaming_app.errors import ConfigError

ConfigCheck = Callable[[Mapping[str, Any]], Iterable[Problem]]
"""Takes the document as it was read, finds what the model cannot know."""


def read_config(text: str, name: str, check: ConfigCheck = lambda _: (), resolve: Resolve | None = None) -> Config:
    """The configuration in a text; ``name`` is used in messages. References to secrets stay as they are without ``resolve``.

    Raises:
        ConfigError: with every problem that was found, one a line.
    """
    try:
        document = YAML(typ="rt").load(text)
    except YAMLError as error:
        raise ConfigError(f"{name}: not YAML: {_describe_error(error)}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{name}: must be a mapping of keys", "see conf/pipeline.minimal.yaml")
    unresolved = list(resolve_references(document, resolve)) if resolve else []
    problems = [*unresolved, *check(document)]
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        problems = problems_of(error, Config) + problems
    if problems:
        lines = (f"{name}:{format_problem(document, path, message)}" for path, message in problems)
        raise ConfigError("\n".join(lines), "every key is explained by: clickstream config init --full")
    return config


def _describe_error(error: YAMLError) -> str:
    """What is wrong, and in which line; not the line itself, which may hold a secret."""
    problem = getattr(error, "problem", None) or type(error).__name__
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return where + " ".join(str(problem).partition(" with value ")[0].split())
