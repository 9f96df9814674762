"""Reading the configuration: YAML to model, with every problem at once, its path and line in the file, and a remedy."""

from __future__ import annotations

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from streaming_app.config.model import Config
from streaming_app.config.plugins import plugin_problems
from streaming_app.config.problems import placed, problems_of
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
    problems = list(plugin_problems(document))
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        problems = problems_of(error, Config) + problems
    if problems:
        lines = (f"{name}:{placed(document, path, message)}" for path, message in problems)
        raise ConfigError("\n".join(lines), "every key is explained by: clickstream config init --full")
    return config
