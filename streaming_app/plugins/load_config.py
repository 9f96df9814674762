"""Reads the configuration, and reports all problems at once: those of its model and those of the plugins that it names."""

from __future__ import annotations

import logging

from streaming_app.config.model import Config
from streaming_app.config.read import read_config
from streaming_app.config.references import Resolve, is_reference
from streaming_app.errors import ClickstreamError, ConfigError
from streaming_app.plugins.validate_config import built_in_problems, plugin_problems
from streaming_app.storage.aws_secrets import read_secret
from streaming_app.storage.files import read_text

log = logging.getLogger("clickstream")


def load_config(uri: str) -> Config:
    """Read and check the configuration at a local path or an s3:// URI, and create its plugins, which runs their code.

    Raises:
        ConfigError: it cannot be read, or has problems; the message lists all of them.
    """
    text = _text(uri)
    config = parse_config(text, uri, read_secret)
    _warn_of_plain_secret(config, text, uri)
    return config


def _warn_of_plain_secret(config: Config, text: str, uri: str) -> None:
    key = read_config(text, uri).privacy.hash_key if config.privacy.hash_key else None
    if key and not is_reference(key.get_secret_value()):
        log.warning("%s: privacy.hash_key is there for whoever reads the file: secretsmanager:NAME or ssm:NAME keeps it out", uri)


def load_settings(uri: str) -> Config:
    """Read and check the configuration without its plugins and secrets, for commands that only read: no plugin code runs.

    Raises:
        ConfigError: as above, except for problems that only plugins can find.
    """
    return read_config(_text(uri), uri)


def load_with_built_ins(uri: str) -> Config:
    """Read and check the configuration with built-in plugins only.

    Raises:
        ConfigError: as above, except for problems that only other plugins can find.
    """
    return read_config(_text(uri), uri, built_in_problems)


def _text(uri: str) -> str:
    try:
        return read_text(uri)
    except (OSError, UnicodeError, ClickstreamError) as error:
        raise ConfigError(f"{uri}: cannot be read: {error}", "make one with: clickstream config init") from None


def parse_config(text: str, name: str = "configuration", resolve: Resolve | None = None) -> Config:
    """Check the text of a configuration and create every plugin once; ``name`` is used in messages. References to secrets stay as
    they are without ``resolve``.

    Raises:
        ConfigError: the message has a line for each problem.
    """
    return read_config(text, name, plugin_problems, resolve)
