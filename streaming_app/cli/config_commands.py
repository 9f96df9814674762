"""``clickstream config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from streaming_app.cli.options import DEFAULT_CONFIG, ConfigOption
from streaming_app.cli.terminal import say, say_json_text
from streaming_app.commands import configuration
from streaming_app.config.model import Config
from streaming_app.plugins.load_config import load_settings

config_app = App(name="config", help="Create, check and show the configuration.")


@config_app.command
def init(
    path: Path = Path(DEFAULT_CONFIG),
    *,
    full: Annotated[bool, Parameter(negative="", help="every key, each with its meaning and default")] = False,
    force: Annotated[bool, Parameter(negative="", help="replace a file that is there")] = False,
) -> None:
    """Write a configuration to start from.

    Example: clickstream config init my-pipeline.yaml --full
    """
    configuration.write_template(path, full=full, force=force)
    say(f"wrote {path}: set source.uri, sink.uri and apps, then: clickstream config validate --config {path}")


@config_app.command
def validate(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    no_plugins: Annotated[bool, Parameter(negative="", help="load no plugins but the built-in ones")] = False,
) -> None:
    """Check a configuration and the files it names; shows every problem with its line and the remedy.

    It loads and creates the plugins that the configuration names, so their code runs here, as it does in a run. With --no-plugins
    no code runs but this application's own: use it for a configuration that you have not read.
    """
    foreign = ", ".join(configuration.validate(config, no_plugins=no_plugins))
    say(f"{config}: valid" + (f", {'not looked at' if no_plugins else 'plugins loaded'}: {foreign}" if foreign else ""))


@config_app.command
def show(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print a configuration with all defaults, as JSON."""
    say_json_text(msgspec.json.format(load_settings(config).model_dump_json(), indent=2))


@config_app.command
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    say_json_text(msgspec.json.format(msgspec.json.encode(Config.model_json_schema()), indent=2).decode())
