"""Reading the configuration: YAML to model, with every problem at once, its path and line in the file, and a remedy."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from streaming_app.config.model import Config
from streaming_app.config.plugins import plugin_problems
from streaming_app.errors import ClickstreamError, ConfigError
from streaming_app.storage import read_text


def load_config(uri: str) -> Config:
    """Read and check the configuration at a local path or an s3:// URI.

    Raises:
        ConfigError: it cannot be read, or has problems; the message lists all of them.
    """
    try:
        text = read_text(uri)
    except (OSError, UnicodeError, ClickstreamError) as error:
        raise ConfigError(f"{uri}: cannot be read: {error}", "make one with: clickstream config init") from None
    return parse_config(text, uri)


def parse_config(text: str, name: str = "configuration") -> Config:
    """Check the text of a configuration; ``name`` is used in messages.

    Raises:
        ConfigError: with every problem that was found, one a line.
    """
    try:
        document = YAML(typ="rt").load(text)
    except YAMLError as error:
        raise ConfigError(f"{name}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{name}: must be a mapping of keys", "see conf/pipeline.minimal.yaml")
    problems = [_placed(document, path, message) for path, message in plugin_problems(document)]
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        raise _config_error(name, [_problem(document, each) for each in error.errors()] + problems) from None
    if problems:
        raise _config_error(name, problems)
    return config


def _config_error(name: str, problems: list[str]) -> ConfigError:
    return ConfigError(
        "\n".join(f"{name}:{each}" for each in problems), "every key is explained by: clickstream config init --full"
    )


def _problem(document: Any, error: Any) -> str:
    path = tuple(error["loc"])
    if error["type"] == "extra_forbidden":
        return _placed(document, path, f"unknown key{_suggestion(path)}")
    if error["type"] == "missing":
        return _placed(document, path, "is required")
    given = error.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return _placed(document, path, error["msg"].removeprefix("Value error, ") + shown)


def _placed(document: Any, path: tuple[str | int, ...], message: str) -> str:
    """``line: key.path: message``, the line being that of the nearest key that is there."""
    line, here = 1, document
    for key in path:
        try:
            line = here.lc.key(key)[0] + 1 if isinstance(here, CommentedMap) else here.lc.item(key)[0] + 1
            here = here[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return f"{line}: {'.'.join(map(str, path)) or 'file'}: {message}"


def _suggestion(path: tuple[str | int, ...]) -> str:
    known = sorted(_section(path[:-1]).model_fields)
    close = get_close_matches(str(path[-1]), known, n=1)
    return f", did you mean {close[0]!r}?" if close else f"; known here: {', '.join(known)}"


def _section(path: tuple[str | int, ...]) -> type[BaseModel]:
    """The model that the keys below ``path`` belong to."""
    model: type[BaseModel] = Config
    for key in path:
        field = model.model_fields.get(str(key))
        if field is None:
            continue  # a key the user chose, such as an app's id
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    return model
