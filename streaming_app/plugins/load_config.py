"""Reading the configuration with every problem at once: those of its model and those of the plugins that it names."""

from __future__ import annotations

from streaming_app.config.model import Config
from streaming_app.config.read import read_config
from streaming_app.errors import ClickstreamError, ConfigError
from streaming_app.plugins.validate_config import built_in_problems, plugin_problems
from streaming_app.storage.files import read_text


def load_config(uri: str) -> Config:
    """Read and check the configuration at a local path or an s3:// URI, and make every plugin that it names: their code runs.

    Raises:
        ConfigError: it cannot be read, or has problems; the message lists all of them.
    """
    return parse_config(_text(uri), uri)


def load_settings(uri: str) -> Config:
    """The same without any plugin, for commands that only look: no code runs but ours.

    Raises:
        ConfigError: as above, but for problems that only plugins know of.
    """
    return read_config(_text(uri), uri)


def load_with_built_ins(uri: str) -> Config:
    """The same with the plugins that are part of this application, and no others.

    Raises:
        ConfigError: as above, but for problems that only other plugins know of.
    """
    return read_config(_text(uri), uri, built_in_problems)


def _text(uri: str) -> str:
    try:
        return read_text(uri)
    except (OSError, UnicodeError, ClickstreamError) as error:
        raise ConfigError(f"{uri}: cannot be read: {error}", "make one with: clickstream config init") from None


def parse_config(text: str, name: str = "configuration") -> Config:
    """Check the text of a configuration and make every plugin once; ``name`` is used in messages.

    Raises:
        ConfigError: with every problem that was found, one a line.
    """
    return read_config(text, name, plugin_problems)
